import { useState } from "react";
import { useText } from "../../i18n/text.ts";
import { Button } from "../../ui/Button.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { Field } from "../../ui/Field.tsx";

// Rename gives a group another name.
export function Rename({
  name: before,
  rename,
  onClose,
}: {
  name: string;
  rename: (name: string) => Promise<string | undefined>; // what went wrong
  onClose: () => void;
}) {
  const t = useText();
  const [name, setName] = useState(before);
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState<string>();
  const save = async () => {
    if (!name.trim() || busy) return;
    setBusy(true);
    const failed = name.trim() === before ? undefined : await rename(name.trim());
    setBusy(false);
    if (failed) setWrong(failed);
    else onClose();
  };
  return (
    <Dialog
      title={t("details.renameTitle")}
      onClose={onClose}
      foot={
        <>
          <Button look="quiet" onClick={onClose}>
            {t("do.cancel")}
          </Button>
          <Button look="main" busy={busy} disabled={!name.trim()} onClick={() => void save()}>
            {t("do.save")}
          </Button>
        </>
      }
    >
      <form
        onSubmit={(e) => {
          e.preventDefault();
          void save();
        }}
      >
        <Field
          label={t("details.name")}
          hint={t("new.groupNameHint")}
          error={wrong}
          value={name}
          maxLength={100}
          autoFocus
          autoComplete="off"
          onChange={(e) => {
            setName(e.target.value);
            setWrong(undefined);
          }}
        />
      </form>
    </Dialog>
  );
}
