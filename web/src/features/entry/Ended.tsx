import { useState } from "react";
import { useText } from "../../i18n/text.ts";
import { Button } from "../../ui/Button.tsx";
import { Confirm } from "../../ui/Dialog.tsx";
import css from "./Entry.module.css";
import { Entry } from "./Entry.tsx";
import type { EntryForm } from "./entryForm.ts";

// Ended is what somebody sees whose session is over here: the way back in, and
// the way to leave nothing behind. Until then what is stored stays.
export function Ended({
  form,
  me,
  wipe,
}: {
  form: EntryForm;
  me: string;
  wipe: () => Promise<string | undefined>; // what went wrong
}) {
  const t = useText();
  const [asking, setAsking] = useState(false);
  return (
    <Entry form={form} me={me}>
      <p className={css.aside}>{t("ended.refused")}</p>
      <Button look="badQuiet" wide onClick={() => setAsking(true)}>
        {t("ended.wipe")}
      </Button>
      {asking && (
        <Confirm title={t("ended.wipeTitle")} action={t("ended.wipe")} onClose={() => setAsking(false)} act={wipe}>
          <p>{t("ended.wipeLead", { name: me })}</p>
        </Confirm>
      )}
    </Entry>
  );
}
