import { Download } from "lucide-react";
import { useState } from "react";
import type { Core } from "../../core/core.ts";
import { useText } from "../../i18n/text.ts";
import { Button } from "../../ui/Button.tsx";
import { Code, CopyButton } from "../../ui/Code.tsx";
import { saveText } from "../../ui/saveText.ts";
import css from "./Settings.module.css";

// RecoveryPart replaces the recovery key. The new one is shown here, once.
export function RecoveryPart({ core, name, org }: { core: Pick<Core, "call">; name: string; org: string }) {
  const t = useText();
  const [key, setKey] = useState<string>();
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState<string>();
  const renew = async () => {
    setBusy(true);
    const got = await core.call("newRecoveryKey", {});
    setBusy(false);
    setWrong(got.ok ? undefined : t(`fail.${got.failure.code}`));
    if (got.ok) setKey(got.value.key);
  };
  if (key) {
    return (
      <div className={css.stack}>
        <p className={css.lead}>{t("recovery.new")}</p>
        <Code value={key} label={t("key.label")} />
        <div className={css.acts}>
          <CopyButton text={key} label={t("key.copy")} />
          <Button onClick={() => saveText(`${t("key.fileName")}.txt`, t("key.fileText", { name, org, key }))}>
            <Download size={18} />
            {t("key.download")}
          </Button>
        </div>
        <p className={css.lead}>{t("key.once")}</p>
        <div className={css.acts}>
          <Button look="main" onClick={() => setKey(undefined)}>
            {t("recovery.done")}
          </Button>
        </div>
      </div>
    );
  }
  return (
    <div className={css.stack}>
      <p className={css.lead}>{t("recovery.lead")}</p>
      <p className={css.lead}>{t("recovery.renewLead")}</p>
      {wrong && (
        <p className={css.wrong} role="alert">
          {wrong}
        </p>
      )}
      <div className={css.acts}>
        <Button look="main" busy={busy} onClick={() => void renew()}>
          {t("recovery.renew")}
        </Button>
      </div>
    </div>
  );
}
