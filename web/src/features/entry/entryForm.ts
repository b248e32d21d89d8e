import type { Entered, FailureCode, LinkInfo, SignIn, SignUp } from "../../core/api.gen.ts";
import type { Core, Result } from "../../core/core.ts";
import type { Key } from "../../i18n/text.ts";
import { Store } from "../../model/store.ts";

export type Purpose = "setup" | "join" | "signIn";
export type FieldName = "org" | "name" | "password" | "device";

export interface EntryState {
  // checking: what the link is good for is being asked; dead: for nothing.
  readonly step: "checking" | "unreachable" | "dead" | "form" | "working";
  readonly purpose: Purpose;
  readonly org: string; // of the server, as it says of itself
  readonly values: Readonly<Record<FieldName, string>>;
  readonly wrong: Partial<Readonly<Record<FieldName | "form", Key>>>;
}

// Ways is the part of the session that the form needs.
export interface Ways {
  signUp(how: SignUp): Promise<Result<Entered>>;
  signIn(how: SignIn): Promise<Result<Entered>>;
}

const retryAfter = 3000; // ms, while the server cannot be reached

// EntryForm is the view model of set-up, sign-up and sign-in. What is wrong is
// said beside the field when one tries to go on, not while one types.
export class EntryForm {
  readonly state: Store<EntryState>;
  readonly #core: Pick<Core, "call">;
  readonly #ways: Ways;
  readonly #token: string;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(core: Pick<Core, "call">, ways: Ways, purpose: Purpose, token: string, device: string) {
    this.#core = core;
    this.#ways = ways;
    this.#token = token;
    this.state = new Store<EntryState>({
      step: "checking",
      purpose,
      org: "",
      values: { org: "", name: "", password: "", device },
      wrong: {},
    });
  }

  // check asks what the link is good for, until the server answers.
  async check(): Promise<void> {
    const { purpose } = this.state.snapshot();
    clearTimeout(this.#timer);
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
    if (step === "working") return;
    const wrong = faults(purpose, values);
    if (Object.keys(wrong).length > 0) return this.state.update({ wrong });
    this.state.update({ step: "working", wrong: {} });
    const name = values.name.trim();
    const device = values.device.trim();
    const { password } = values;
    const got =
      purpose === "signIn"
        ? await this.#ways.signIn({ name, password, device })
        : await this.#ways.signUp({
            token: this.#token,
            name,
            password,
            device,
            ...(purpose === "setup" ? { org: values.org.trim() } : {}),
          });
    if (got.ok) return; // the session goes on to another screen
    this.state.update({ step: "form", wrong: complaint(purpose, got.failure.code, got.failure.field) });
  }

  #opened(link: LinkInfo): void {
    this.state.update({ step: "form", org: link.org, purpose: link.kind === "setup" ? "setup" : "join" });
  }
}

// The caps of wire/limits.go, so that most faults are found before sending.
const maxName = 64;
const minPassword = 8;

function faults(purpose: Purpose, v: EntryState["values"]): EntryState["wrong"] {
  const wrong: Partial<Record<FieldName | "form", Key>> = {};
  const fits = (s: string) => s.trim().length > 0 && [...s.trim()].length <= maxName;
  if (purpose === "setup" && !fits(v.org)) wrong.org = "entry.orgBad";
  if (!fits(v.name)) wrong.name = "entry.nameBad";
  if (!fits(v.device)) wrong.device = "entry.nameBad";
  if (purpose !== "signIn" && [...v.password].length < minPassword) wrong.password = "entry.passwordShort";
  if (purpose === "signIn" && !v.password) wrong.password = "entry.wrong";
  return wrong;
}

function complaint(purpose: Purpose, code: FailureCode, field?: string): EntryState["wrong"] {
  if (code === "taken") return { name: "entry.taken" };
  if (code === "busy") return { form: "entry.busy" };
  if (code === "not_found") return { form: purpose === "signIn" ? "entry.wrong" : "entry.linkDead" };
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
