import { useState } from "react";
import { useText } from "../i18n/text.ts";
import { Button } from "./Button.tsx";
import { Code } from "./Code.tsx";
import css from "./PendingDevice.module.css";

// PendingDevice asks whether a device that knows the password may come in. The
// acts answer with what went wrong.
export function PendingDevice({
  name,
  code,
  allow,
  reject,
  titled = true,
}: {
  name: string;
  code: string;
  allow: () => Promise<string | undefined>;
  reject: () => Promise<string | undefined>;
  titled?: boolean; // false where the frame says the title
}) {
  const t = useText();
  const [busy, setBusy] = useState<"allow" | "reject">();
  const [wrong, setWrong] = useState<string>();
  const act = (what: "allow" | "reject", doing: () => Promise<string | undefined>) => async () => {
    setBusy(what);
    setWrong(await doing());
    setBusy(undefined);
  };
  return (
    <section className={css.ask}>
      {titled && <h3>{t("devices.askTitle")}</h3>}
      <p>{t("devices.askLead", { name })}</p>
      {code && <Code value={code} label={t("enrol.code")} />}
      <p>{t("devices.askCompare")}</p>
      {wrong && (
        <p className={css.wrong} role="alert">
          {wrong}
        </p>
      )}
      <div className={css.acts}>
        <Button
          look="main"
          busy={busy === "allow"}
          disabled={busy !== undefined || !code}
          onClick={act("allow", allow)}
        >
          {t("devices.allow")}
        </Button>
        <Button look="badQuiet" busy={busy === "reject"} disabled={busy !== undefined} onClick={act("reject", reject)}>
          {t("devices.reject")}
        </Button>
      </div>
    </section>
  );
}
