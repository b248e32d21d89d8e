import type { CallQuality } from "../../core/api.gen.ts";

/** Grade is how well the network does, in the words that people use. */
export type Grade = "unknown" | "good" | "fair" | "poor";

/** Weakness is what a person could do something about. */
export type Weakness = "up" | "down" | "slow" | undefined;

/** gradeOf judges what the server measured. Loss is of 1,000, rtt in ms. */
export function gradeOf(q: Pick<CallQuality, "lossUp" | "lossDown" | "rtt"> | undefined): {
  readonly grade: Grade;
  readonly weakness: Weakness;
} {
  if (!q) return { grade: "unknown", weakness: undefined };
  const worst = Math.max(q.lossUp, q.lossDown);
  const grade = worst >= 80 || q.rtt >= 600 ? "poor" : worst >= 25 || q.rtt >= 300 ? "fair" : "good";
  if (grade === "good") return { grade, weakness: undefined };
  if (worst < 25) return { grade, weakness: "slow" };
  return { grade, weakness: q.lossUp >= q.lossDown ? "up" : "down" };
}
