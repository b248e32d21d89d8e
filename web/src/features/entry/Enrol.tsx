import { useState } from "react";
import type { Entered, Status } from "../../core/api.gen.ts";
import type { Result } from "../../core/core.ts";
import { useText } from "../../i18n/text.ts";
import { Button } from "../../ui/Button.tsx";
import { Code } from "../../ui/Code.tsx";
import { Field } from "../../ui/Field.tsx";
import { Ring } from "../../ui/Ring.tsx";
import { Card } from "./Card.tsx";
import css from "./Entry.module.css";

// Enrol waits until another device or the recovery key lets this one in.
export function Enrol({
  status,
  recover,
  onCancel,
}: {
  status: Status;
  recover: (key: string) => Promise<Result<Entered>>;
  onCancel: () => void;
}) {
  const t = useText();
  const [key, setKey] = useState("");
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState<string>();
  const submit = async () => {
    if (!key.trim() || busy) return;
    setBusy(true);
    const got = await recover(key.trim());
    setBusy(false);
    if (got.ok) return;
    const { code } = got.failure;
    setWrong(code === "wrong_key" || code === "bad_input" ? t("enrol.keyWrong") : t(`fail.${code}`));
  };
  return (
    <Card title={t("enrol.title")} lead={t("enrol.lead")}>
      <div className={css.ways}>
        <section className={css.way}>
          <h2>{t("enrol.other")}</h2>
          <p>{t("enrol.otherLead")}</p>
          {status.code && <Code value={status.code} label={t("enrol.code")} />}
          <p className={css.waiting}>
            <Ring size={20} label={t("enrol.waiting")} />
            {t("enrol.waiting")}
          </p>
        </section>
        <form
          className={css.way}
          onSubmit={(e) => {
            e.preventDefault();
            void submit();
          }}
        >
          <h2>{t("enrol.key")}</h2>
          <p>{t("enrol.keyLead")}</p>
          <Field
            label={t("enrol.keyLabel")}
            value={key}
            error={wrong}
            mono
            autoComplete="off"
            autoCapitalize="characters"
            spellCheck={false}
            placeholder="XXXXX-XXXXX-XXXXX-…"
            onChange={(e) => {
              setKey(e.target.value);
              setWrong(undefined);
            }}
          />
          <Button look="main" type="submit" wide busy={busy} disabled={!key.trim()}>
            {t("enrol.keyDo")}
          </Button>
        </form>
      </div>
      <Button look="quiet" onClick={onCancel}>
        {t("enrol.cancel")}
      </Button>
    </Card>
  );
}
