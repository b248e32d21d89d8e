import { useState } from "react";
import type { Core } from "../../core/core.ts";
import { useText } from "../../i18n/text.ts";
import type { Devices } from "../../model/devices.ts";
import { useSnapshot } from "../../model/useSnapshot.ts";
import { Button } from "../../ui/Button.tsx";
import { Check } from "../../ui/Field.tsx";
import css from "./Settings.module.css";

// SignOutPart ends the session here, and wipes what is stored if asked to.
export function SignOutPart({ core, devices }: { core: Pick<Core, "call">; devices: Devices }) {
  const t = useText();
  const list = useSnapshot(devices.list);
  const [forget, setForget] = useState(false);
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState<string>();
  const last = list !== undefined && !list.some((d) => !d.this && d.state === "active");
  const leave = async () => {
    setBusy(true);
    const got = await core.call("signOut", { forget });
    setBusy(false);
    if (!got.ok) setWrong(t(`fail.${got.failure.code}`));
  };
  return (
    <div className={css.stack}>
      <p className={css.lead}>
        {t("signOut.lead")} {!forget && t("signOut.keep")}
      </p>
      <Check label={t("signOut.forget")} hint={t("signOut.forgetHint")} checked={forget} onChange={setForget} />
      {forget && last && <p className={css.warning}>{t("signOut.last")}</p>}
      {wrong && (
        <p className={css.wrong} role="alert">
          {wrong}
        </p>
      )}
      <div className={css.acts}>
        <Button look="bad" busy={busy} onClick={() => void leave()}>
          {t("signOut.do")}
        </Button>
      </div>
    </div>
  );
}
