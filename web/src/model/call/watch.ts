import type { Health } from "../../media/media.ts";

const silence = 3000; // ms without media while somebody sends
const idle = 8000; // ms without even an answer to a connectivity check: they come every few seconds

// Watch judges from a line's health whether it still lives.
export class Watch {
  #heard = -1;
  #media = -1;
  #heardAt: number;
  #mediaAt: number;

  constructor(now: number) {
    this.#heardAt = now;
    this.#mediaAt = now;
  }

  /** lives takes the newest health; expected says whether somebody should be sending. */
  lives({ heard, media }: Pick<Health, "heard" | "media">, expected: boolean, now: number): boolean {
    if (heard !== this.#heard) this.#heardAt = now;
    if (media !== this.#media || !expected) this.#mediaAt = now;
    this.#heard = heard;
    this.#media = media;
    return now - this.#heardAt < idle && now - this.#mediaAt < silence;
  }

  /** whether anything has arrived since this was made */
  get begun(): boolean {
    return this.#media > 0;
  }
}
