import { expect, test } from "vitest";
import { own, type Runner } from "../../src/core/tabs/owner.ts";
import type { CoreID, Start } from "../../src/core/tabs/protocol.ts";

class FakeRunner implements Runner {
  onmessage: ((e: MessageEvent) => void) | null = null;
  onerror: ((e: ErrorEvent) => void) | null = null;
  started: Start | undefined;
  terminated = false;
  postMessage(message: Start): void {
    this.started = message;
  }
  terminate(): void {
    this.terminated = true;
  }
}

// Rig is a tab with a clock that the test moves.
function rig() {
  const runners: FakeRunner[] = [];
  const gone: CoreID[] = [];
  const pauses: number[] = [];
  let endTab = () => {};
  const until = new Promise<void>((resolve) => {
    endTab = resolve;
  });
  const over = own({
    spawn: () => {
      const r = new FakeRunner();
      runners.push(r);
      return r;
    },
    newID: () => `core${runners.length + 1}` as CoreID,
    gone: (id) => gone.push(id),
    wait: (ms) => {
      pauses.push(ms);
      return Promise.resolve();
    },
    until,
  });
  const settle = () => new Promise<void>((resolve) => setTimeout(resolve));
  return { runners, gone, pauses, endTab: () => endTab(), over, settle };
}

test("a core that ends is followed by another with a new id, after longer and longer pauses", async () => {
  const r = rig();
  for (let i = 0; i < 7; i++) {
    expect(r.runners).toHaveLength(i + 1);
    const runner = r.runners[i];
    if (i % 2) runner?.onerror?.({} as ErrorEvent);
    else runner?.onmessage?.({ data: { kind: "ended", why: "test" } } as MessageEvent);
    await r.settle();
    expect(runner?.terminated).toBe(true);
  }
  expect(r.pauses).toEqual([1000, 2000, 4000, 8000, 16000, 30000, 30000]);
  expect(r.gone).toEqual(["core1", "core2", "core3", "core4", "core5", "core6", "core7"]);
  expect(r.runners.map((x) => x.started?.core)).toEqual([...r.gone, "core8"]);
});

test("a tab that ends takes its core with it, says so, and starts none", async () => {
  const r = rig();
  r.endTab();
  await r.over;
  expect(r.runners).toHaveLength(1);
  expect(r.runners[0]?.terminated).toBe(true);
  expect(r.gone).toEqual(["core1"]);
});
