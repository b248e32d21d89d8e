import type { FailureCode } from "../core/api.gen.ts";
import type { Core, Result } from "../core/core.ts";
import { Store } from "./store.ts";

export interface DeedState {
  // ready: to be begun; password: the server wants to see it first.
  readonly step: "ready" | "password";
  readonly busy: boolean;
  readonly wrong?: FailureCode | "password";
  readonly retry?: number; // ms after which it may be tried again, if the server said so
}

// Deed is something that the server may ask the person's password for, once
// more, before it is done. After the password it goes on by itself.
export class Deed<T> {
  readonly state = new Store<DeedState>({ step: "ready", busy: false });
  readonly #core: Pick<Core, "call">;
  readonly #act: () => Promise<Result<T>>;

  constructor(core: Pick<Core, "call">, act: () => Promise<Result<T>>) {
    this.#core = core;
    this.#act = act;
  }

  // run does it, and answers with the outcome, or with nothing where the person
  // has something to do first.
  async run(): Promise<T | undefined> {
    const { step, busy } = this.state.snapshot();
    if (busy) return undefined;
    this.state.set({ step, busy: true });
    const got = await this.#act();
    if (got.ok) {
      this.state.set({ step: "ready", busy: false });
      return got.value;
    }
    const { code, retry } = got.failure;
    if (code === "prove") this.state.set({ step: "password", busy: false });
    else this.state.set({ step, busy: false, wrong: code, ...(retry ? { retry } : {}) });
    return undefined;
  }

  // prove shows the password, and goes on.
  async prove(password: string): Promise<T | undefined> {
    if (this.state.snapshot().busy) return undefined;
    if (!password) {
      this.state.set({ step: "password", busy: false, wrong: "password" });
      return undefined;
    }
    this.state.set({ step: "password", busy: true });
    const shown = await this.#core.call("prove", { password });
    if (shown.ok) {
      this.state.set({ step: "password", busy: false });
      return this.run();
    }
    const { code, retry } = shown.failure;
    const wrong = code === "not_found" ? "password" : code;
    this.state.set({ step: "password", busy: false, wrong, ...(retry ? { retry } : {}) });
    return undefined;
  }

  // edited takes back what was wrong, as soon as one types.
  edited(): void {
    const { step, busy } = this.state.snapshot();
    this.state.set({ step, busy });
  }
}
