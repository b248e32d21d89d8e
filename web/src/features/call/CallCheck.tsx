import { CircleCheck, CircleDashed, CircleX } from "lucide-react";
import { useEffect, useState } from "react";
import { type Key, type Text, useText } from "../../i18n/text.ts";
import { Check, type CheckState, type Result, type Step } from "../../model/call/check.ts";
import type { Model } from "../../model/model.ts";
import { useSnapshot } from "../../model/useSnapshot.ts";
import { Button } from "../../ui/Button.tsx";
import { Ring } from "../../ui/Ring.tsx";
import css from "./Check.module.css";
import { troubleText } from "./words.ts";

const steps = [
  ["microphone", "call.microphone"],
  ["camera", "call.camera"],
  ["udp", "check.udp"],
  ["tcp", "check.tcp"],
  ["tls", "check.tls"],
] as const satisfies readonly (readonly [keyof CheckState, Key])[];

const results = {
  good: "check.allGood",
  detour: "check.detour",
  onlyTls: "check.onlyTls",
  noPath: "check.noPath",
  noMicrophone: "check.noMicrophone",
  unsealed: "check.unsealed",
} as const satisfies Record<Result, Key>;

// CallCheck tries everything that a call needs, and says in plain words whether
// calls will work here. It stands in the settings and before a call.
export function CallCheck({ model }: { model: Model }) {
  const t = useText();
  const [check, setCheck] = useState<Check>();
  useEffect(() => {
    let over = false;
    void model.calls.media().then((media) => {
      if (media && !over) setCheck(new Check(model.core, media));
    });
    return () => {
      over = true;
    };
  }, [model]);
  return (
    <div className={css.check}>
      <p>{t("check.lead")}</p>
      {check && <Steps check={check} model={model} />}
    </div>
  );
}

function Steps({ check, model }: { check: Check; model: Model }) {
  const t = useText();
  const state = useSnapshot(check.state);
  const { running, result } = state;
  return (
    <>
      <ul>
        {steps.map(([key, title]) => (
          <li key={key} data-at={state[key].at}>
            <Mark step={state[key]} label={t("check.running")} />
            <span>
              <strong>{t(title)}</strong>
              <small>{stepText(t, state[key])}</small>
            </span>
          </li>
        ))}
        <li data-at="waiting">
          <CircleDashed size={22} aria-hidden="true" />
          <span>
            <strong>{t("call.speaker")}</strong>
            <small>{t("check.toneLead")}</small>
          </span>
          <Button onClick={() => void model.calls.playTone()}>{t("check.tone")}</Button>
        </li>
      </ul>
      <p className={css.result} data-result={result} role="status">
        {result && t(results[result])}
      </p>
      <Button look="main" busy={running} onClick={() => void check.run()}>
        {t(running ? "check.running" : result ? "check.redo" : "check.do")}
      </Button>
    </>
  );
}

function Mark({ step, label }: { step: Step; label: string }) {
  if (step.at === "running") return <Ring size={22} label={label} />;
  if (step.at === "works") return <CircleCheck size={22} aria-hidden="true" />;
  if (step.at === "fails" || step.at === "silent") return <CircleX size={22} aria-hidden="true" />;
  return <CircleDashed size={22} aria-hidden="true" />;
}

function stepText(t: Text, step: Step): string {
  if ("rtt" in step) return t("check.works", { n: step.rtt });
  if ("trouble" in step) return troubleText(t, step.trouble);
  const keys = {
    waiting: "check.waiting",
    running: "check.running",
    works: "check.fine",
    silent: "check.silent",
    fails: "check.noWay",
  } as const satisfies Record<Step["at"], Key>;
  return t(keys[step.at]);
}
