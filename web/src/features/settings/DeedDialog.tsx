import { type ReactNode, useEffect, useId, useRef, useState } from "react";
import { refused } from "../../i18n/format.ts";
import { useText } from "../../i18n/text.ts";
import type { Deed } from "../../model/deed.ts";
import { useSnapshot } from "../../model/useSnapshot.ts";
import { Button } from "../../ui/Button.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { PasswordField } from "../../ui/PasswordField.tsx";
import css from "./Settings.module.css";

// DeedDialog asks before something that the server may want the password for,
// asks for that in the same place, and goes on with it.
export function DeedDialog<T>({
  deed,
  title,
  action,
  bad = false,
  children,
  onDone,
  onClose,
}: {
  deed: Deed<T>;
  title: string;
  action: string;
  bad?: boolean;
  children: ReactNode;
  onDone: (outcome: T) => void;
  onClose: () => void;
}) {
  const t = useText();
  const { step, busy, wrong, retry = 0 } = useSnapshot(deed.state);
  const [password, setPassword] = useState("");
  const id = useId();
  const field = useRef<HTMLInputElement>(null);
  const asked = step === "password";
  useEffect(() => {
    if (asked && !busy) field.current?.focus();
  }, [asked, busy]);

  const go = async () => {
    const outcome = await (asked ? deed.prove(password) : deed.run());
    if (outcome !== undefined) onDone(outcome);
  };
  const inField = wrong === "password";
  return (
    <Dialog
      title={title}
      onClose={onClose}
      alert
      foot={
        <>
          <Button look="quiet" onClick={onClose} disabled={busy}>
            {t("do.cancel")}
          </Button>
          <Button look={bad ? "bad" : "main"} busy={busy} type="submit" form={id}>
            {action}
          </Button>
        </>
      }
    >
      <form
        id={id}
        className={css.form}
        noValidate
        onSubmit={(e) => {
          e.preventDefault();
          void go();
        }}
      >
        {children}
        {asked && (
          <PasswordField
            ref={field}
            label={t("prove.password")}
            hint={t("prove.hint")}
            error={inField ? t("password.wrong") : undefined}
            value={password}
            onChange={(e) => {
              setPassword(e.target.value);
              deed.edited();
            }}
          />
        )}
        {wrong && !inField && (
          <p className={css.wrong} role="alert">
            {refused(t, `fail.${wrong}`, retry)}
          </p>
        )}
      </form>
    </Dialog>
  );
}
