import type { Entered, FailureCode, LinkInfo, ResetPassword, SignIn, SignUp } from "../../core/api.gen.ts";
import type { Core, Result } from "../../core/core.ts";
import type { Key } from "../../i18n/text.ts";
import { tooShort } from "../../model/password.ts";
import { Store } from "../../model/store.ts";

// again: somebody whose session has ended here; reset: a new password, by a link.
export type Purpose = "setup" | "join" | "signIn" | "again" | "reset";
export type FieldName = "org" | "name" | "password" | "device";

export interface EntryState {
  // checking: what the link is good for is being asked; dead: for nothing; other:
  // for somebody else than who is at home in this browser; done: a device that is
  // let in already has its new password.
  readonly step: "checking" | "unreachable" | "dead" | "other" | "form" | "working" | "done";
  readonly purpose: Purpose;
  readonly who: string; // again, reset: whose account it is
  readonly org: string; // of the server, as it says of itself
  readonly values: Readonly<Record<FieldName, string>>;
  readonly wrong: Partial<Readonly<Record<FieldName | "form", Key>>>;
  readonly retry: number; // ms after which the form may be sent again, 0 if nobody said so
}

// Ways is the part of the session that the form needs.
export interface Ways {
  signUp(how: SignUp): Promise<Result<Entered>>;
  signIn(how: SignIn): Promise<Result<Entered>>;
  reset(how: ResetPassword): Promise<Result<Entered>>;
}

const retryAfter = 3000; // ms, while the server cannot be reached

// EntryForm is the view model of set-up, sign-up, sign-in and of a new password
// by a link. What is wrong is said beside the field when one tries to go on, not while one types.
export class EntryForm {
  readonly state: Store<EntryState>;
  readonly #core: Pick<Core, "call">;
  readonly #ways: Ways;
  readonly #token: string;
  readonly #me: string;
  #timer: ReturnType<typeof setTimeout> | undefined;

  // me is the name of who is at home in this browser, if anybody is.
  constructor(core: Pick<Core, "call">, ways: Ways, purpose: Purpose, token: string, device: string, me = "") {
    this.#core = core;
    this.#ways = ways;
    this.#token = token;
    this.#me = me;
    const who = purpose === "again" ? me : "";
    this.state = new Store<EntryState>({
      step: "checking",
      purpose,
      who,
      org: "",
      values: { org: "", name: who, password: "", device },
      wrong: {},
      retry: 0,
    });
  }

  // check asks what the link is good for, until the server answers.
  async check(): Promise<void> {
    const { purpose } = this.state.snapshot();
    clearTimeout(this.#timer);
    if (purpose === "again") return this.state.update({ step: "form" });
    if (purpose === "signIn") {
      const got = await this.#core.call("site", {});
      return this.state.update(got.ok ? { step: "form", org: got.value.org } : { step: "form" });
    }
    if (!this.#token) return this.state.update({ step: "dead" });
    const got = await this.#core.call("checkLink", { token: this.#token });
    if (got.ok) return this.#opened(got.value);
    if (got.failure.code === "not_found" || got.failure.code === "bad_input")
      return this.state.update({ step: "dead" });
    this.state.update({ step: "unreachable" });
    this.#timer = setTimeout(() => void this.check(), retryAfter);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  edit(field: FieldName, value: string): void {
    const { values, wrong } = this.state.snapshot();
    const { [field]: _, form: __, ...rest } = wrong;
    this.state.update({ values: { ...values, [field]: value }, wrong: rest });
  }

  async submit(): Promise<void> {
    const { step, purpose, values } = this.state.snapshot();
    if (step === "working" || step === "other" || step === "dead") return;
    const wrong = faults(purpose, values);
    if (Object.keys(wrong).length > 0) return this.state.update({ wrong });
    this.state.update({ step: "working", wrong: {} });
    const got = await this.#enter(purpose, values);
    if (got.ok) {
      // Otherwise the session goes on to another screen.
      if (purpose === "reset" && got.value.phase === "ready") this.state.update({ step: "done" });
      return;
    }
    const { code, field, retry = 0 } = got.failure;
    // A link is used up, or ended by a newer one, while one thinks of a password.
    if (purpose === "reset" && code === "not_found") return this.state.update({ step: "dead" });
    this.state.update({ step: "form", wrong: complaint(purpose, code, field), retry });
  }

  #enter(purpose: Purpose, values: EntryState["values"]): Promise<Result<Entered>> {
    const name = values.name.trim();
    const device = values.device.trim();
    const { password } = values;
    const token = this.#token;
    switch (purpose) {
      case "signIn":
      case "again":
        return this.#ways.signIn({ name, password, device });
      case "reset":
        return this.#ways.reset({ token, password, device });
      case "join":
        return this.#ways.signUp({ token, name, password, device });
      case "setup":
        return this.#ways.signUp({ token, name, password, device, org: values.org.trim() });
    }
  }

  // opened takes what the link is good for, whatever page it was opened on. Where
  // somebody is at home it may replace their own password and nothing else: to let
  // another account in would cost them what is stored here.
  #opened(link: LinkInfo): void {
    const purpose = link.kind === "setup" || link.kind === "reset" ? link.kind : "join";
    const { values } = this.state.snapshot();
    const who = purpose === "reset" ? (link.name ?? "") : "";
    const step = !this.#me || who === this.#me ? "form" : who ? "other" : "dead";
    this.state.update({ step, org: link.org, purpose, who, values: { ...values, name: who || values.name } });
  }
}

// takesPassword says whether the password is a new one.
export function takesPassword(purpose: Purpose): boolean {
  return purpose !== "signIn" && purpose !== "again";
}

// The cap of wire/limits.go, so that most faults are found before sending.
const maxName = 64;

function faults(purpose: Purpose, v: EntryState["values"]): EntryState["wrong"] {
  const wrong: Partial<Record<FieldName | "form", Key>> = {};
  const fits = (s: string) => s.trim().length > 0 && [...s.trim()].length <= maxName;
  if (purpose === "setup" && !fits(v.org)) wrong.org = "entry.orgBad";
  if (!fits(v.name) && purpose !== "reset") wrong.name = "entry.nameBad";
  if (!fits(v.device)) wrong.device = "entry.nameBad";
  if (takesPassword(purpose) && tooShort(v.password)) wrong.password = "entry.passwordShort";
  if (purpose === "signIn" && !v.password) wrong.password = "entry.wrong";
  if (purpose === "again" && !v.password) wrong.password = "password.wrong";
  return wrong;
}

function complaint(purpose: Purpose, code: FailureCode, field?: string): EntryState["wrong"] {
  if (code === "taken") return { name: "entry.taken" };
  if (code === "occupied" && purpose === "again") return { form: "ended.occupied" };
  if (code === "not_found" && purpose === "again") return { password: "password.wrong" };
  if (code === "not_found") return { form: purpose === "signIn" ? "entry.wrong" : "entry.linkDead" };
  if (code === "guessable") return { password: "fail.guessable" };
  if (code === "bad_input" && (field === "name" || field === "org" || field === "device"))
    return { [field]: "entry.nameBad" };
  if (code === "bad_input" && field === "password") return { password: "entry.passwordShort" };
  return { form: `fail.${code}` };
}

// deviceParts guesses browser and system from the user agent, as a proposal
// that the person can change.
export function deviceParts(agent: string): { browser: string; system: string } {
  const browser = /\bFirefox\/|\bFxiOS\//.test(agent)
    ? "Firefox"
    : /\bEdg(e|A|iOS)?\//.test(agent)
      ? "Edge"
      : /\bYaBrowser\//.test(agent)
        ? "Yandex Browser"
        : /\bOPR\//.test(agent)
          ? "Opera"
          : /Chrom(e|ium)\/|\bCriOS\//.test(agent)
            ? "Chrome"
            : /\bSafari\//.test(agent)
              ? "Safari"
              : "Browser";
  const system = /\b(iPhone|iPad)\b/.test(agent)
    ? "iOS"
    : /\bAndroid\b/.test(agent)
      ? "Android"
      : /\bWindows\b/.test(agent)
        ? "Windows"
        : /\bMac OS X\b|\bMacintosh\b/.test(agent)
          ? "macOS"
          : /\bCrOS\b/.test(agent)
            ? "ChromeOS"
            : "Linux";
  return { browser, system };
}
