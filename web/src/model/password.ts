import type { FailureCode } from "../core/api.gen.ts";
import type { Core, Result } from "../core/core.ts";
import { Store } from "./store.ts";

// minPassword is the cap of wire/limits.go, in characters.
const minPassword = 8;

// tooShort finds before anybody is asked what would be refused in any case. What
// is easy to guess is for the server to judge: it knows the names.
export function tooShort(password: string): boolean {
  return [...password].length < minPassword;
}

export type PasswordField = "old" | "new";
export type PasswordFault = "wrong" | "short" | FailureCode;

export interface PasswordState {
  readonly step: "form" | "working" | "done";
  readonly values: Readonly<Record<PasswordField, string>>;
  readonly wrong: Partial<Readonly<Record<PasswordField | "form", PasswordFault>>>;
  readonly retry: number; // ms after which the form may be sent again, 0 if nobody said so
}

const empty: PasswordState = { step: "form", values: { old: "", new: "" }, wrong: {}, retry: 0 };

// PasswordForm is the view model of changing one's password. It forgets what was
// typed as soon as the server has taken it.
export class PasswordForm {
  readonly state = new Store<PasswordState>(empty);
  readonly #core: Pick<Core, "call">;

  constructor(core: Pick<Core, "call">) {
    this.#core = core;
  }

  edit(field: PasswordField, value: string): void {
    const { values, wrong } = this.state.snapshot();
    const { [field]: _, form: __, ...rest } = wrong;
    this.state.update({ values: { ...values, [field]: value }, wrong: rest });
  }

  async submit(): Promise<void> {
    const { step, values } = this.state.snapshot();
    if (step === "working") return;
    const wrong: { old?: PasswordFault; new?: PasswordFault } = {};
    if (!values.old) wrong.old = "wrong";
    if (tooShort(values.new)) wrong.new = "short";
    if (wrong.old || wrong.new) return this.state.update({ wrong });
    this.state.update({ step: "working", wrong: {} });
    const got = await this.#core.call("changePassword", values);
    if (got.ok) return this.state.set({ ...empty, step: "done" });
    this.state.set({ step: "form", values, wrong: refusal(got), retry: got.failure.retry ?? 0 });
  }
}

function refusal({ failure }: Extract<Result<object>, { ok: false }>): PasswordState["wrong"] {
  const { code, field } = failure;
  if (code === "not_found") return { old: "wrong" };
  if (code === "guessable") return { new: "guessable" };
  if (code === "bad_input" && field === "new") return { new: "short" };
  return { form: code };
}
