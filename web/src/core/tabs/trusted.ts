// The page's Content-Security-Policy lets scripts be started only by Trusted
// Types, and this policy, the only one there is, lets only our own files pass.

type Policy = { createScriptURL(url: string): unknown };
type Factory = {
  createPolicy(name: string, rules: { createScriptURL: (url: string) => string }): Policy;
};

let policy: Policy | undefined;

/** scriptURL returns url in the form that new Worker takes under our policy. */
export function scriptURL(url: string): string {
  const factory = (globalThis as { trustedTypes?: Factory }).trustedTypes;
  if (!factory) return own(url); // browsers without Trusted Types have worker-src 'self'
  // A policy can be made once under its name, so it is kept.
  policy ??= factory.createPolicy("veche", { createScriptURL: own });
  return policy.createScriptURL(url) as string;
}

function own(url: string): string {
  const whole = new URL(url, location.href);
  if (whole.origin !== location.origin || !["http:", "https:"].includes(whole.protocol))
    throw new TypeError(`not a script of this site: ${whole.href}`);
  return whole.href;
}
