import type { Entered, FailureCode, ResetPassword, SignIn, SignUp, Status } from "../core/api.gen.ts";
import type { Core, Result } from "../core/core.ts";
import { Store } from "./store.ts";

// What the person must see before anything else, if anything.
export interface Entrance {
  // The recovery key of a new account. It is shown until the person says that
  // it is kept, whatever phase the core has reached by then.
  readonly recoveryKey?: string;
}

// Session is how it stands with this device: its status and the ways in and out.
export class Session {
  readonly status = new Store<Status | undefined>(undefined);
  readonly entrance = new Store<Entrance>({});
  // Why the core does not even say its status, if so.
  readonly trouble = new Store<FailureCode | undefined>(undefined);
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
    core.on("status", (s) => this.status.set(s));
  }

  async refresh(): Promise<void> {
    const got = await this.#core.call("status", {});
    if (got.ok) this.status.set(got.value);
    this.trouble.set(got.ok || got.failure.code === "cancelled" ? undefined : got.failure.code);
  }

  async signUp(how: SignUp): Promise<Result<Entered>> {
    return this.#entered(await this.#core.call("signUp", how));
  }

  async signIn(how: SignIn): Promise<Result<Entered>> {
    return this.#entered(await this.#core.call("signIn", how));
  }

  async reset(how: ResetPassword): Promise<Result<Entered>> {
    return this.#entered(await this.#core.call("resetPassword", how));
  }

  async recover(key: string): Promise<Result<Entered>> {
    return this.#entered(await this.#core.call("recover", { key }));
  }

  keyIsKept(): void {
    this.entrance.set({});
  }

  #entered(got: Result<Entered>): Result<Entered> {
    if (got.ok) {
      if (got.value.recoveryKey) this.entrance.set({ recoveryKey: got.value.recoveryKey });
      void this.refresh();
    }
    return got;
  }
}
