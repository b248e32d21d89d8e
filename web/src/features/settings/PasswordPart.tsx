import { useEffect, useMemo, useRef, useState } from "react";
import type { Core } from "../../core/core.ts";
import { refused } from "../../i18n/format.ts";
import { type Key, useText } from "../../i18n/text.ts";
import type { Devices } from "../../model/devices.ts";
import { type PasswordFault, PasswordForm } from "../../model/password.ts";
import { useSnapshot } from "../../model/useSnapshot.ts";
import { Button } from "../../ui/Button.tsx";
import { Confirm } from "../../ui/Dialog.tsx";
import { PasswordField } from "../../ui/PasswordField.tsx";
import css from "./Settings.module.css";

// PasswordPart changes the password, and then offers to remove the devices that
// came in with the old one.
export function PasswordPart({ core, devices, name }: { core: Pick<Core, "call">; devices: Devices; name: string }) {
  const t = useText();
  const form = useMemo(() => new PasswordForm(core), [core]);
  const { step, values, wrong, retry } = useSnapshot(form.state);
  const inputs = useRef<HTMLFormElement>(null);

  // What is wrong is where one goes on typing.
  useEffect(() => {
    if (wrong.old || wrong.new) inputs.current?.querySelector<HTMLElement>("[aria-invalid]")?.focus();
  }, [wrong]);

  if (step === "done") return <Done devices={devices} />;
  const said = (what: PasswordFault | undefined) => (what ? refused(t, words(what), retry) : undefined);
  return (
    <div className={css.stack}>
      <p className={css.lead}>{t("password.lead")}</p>
      <form
        ref={inputs}
        className={css.form}
        noValidate
        onSubmit={(e) => {
          e.preventDefault();
          void form.submit();
        }}
      >
        {/* Whose password it is, for password managers. */}
        <input type="text" name="username" autoComplete="username" value={name} readOnly hidden />
        <PasswordField
          label={t("password.old")}
          error={said(wrong.old)}
          value={values.old}
          name="old"
          onChange={(e) => form.edit("old", e.target.value)}
        />
        <PasswordField
          fresh
          label={t("password.new")}
          hint={t("entry.passwordHint")}
          error={said(wrong.new)}
          value={values.new}
          name="new"
          onChange={(e) => form.edit("new", e.target.value)}
        />
        {wrong.form && (
          <p className={css.wrong} role="alert">
            {said(wrong.form)}
          </p>
        )}
        <div className={css.acts}>
          <Button look="main" type="submit" busy={step === "working"}>
            {t("password.do")}
          </Button>
        </div>
      </form>
      <p className={css.lead}>{t("password.forgotten")}</p>
    </div>
  );
}

function words(what: PasswordFault): Key {
  switch (what) {
    case "wrong":
      return "password.wrong";
    case "short":
      return "entry.passwordShort";
    default:
      return `fail.${what}`;
  }
}

function Done({ devices }: { devices: Devices }) {
  const t = useText();
  const list = useSnapshot(devices.list) ?? [];
  const others = list.filter((d) => !d.this && d.state === "active");
  const [asking, setAsking] = useState(false);
  const [removed, setRemoved] = useState(false);
  useEffect(() => void devices.refresh(), [devices]);
  return (
    <div className={css.stack}>
      <p className={css.done} role="status">
        {t("password.done")}
      </p>
      {others.length === 0 ? (
        <p className={css.lead}>{t(removed ? "password.removed" : "password.alone")}</p>
      ) : (
        <>
          <p className={css.lead}>{t("password.doneLead")}</p>
          <ul className={css.names}>
            {others.map((d) => (
              <li key={d.id}>{d.name}</li>
            ))}
          </ul>
          <div className={css.acts}>
            <Button onClick={() => setAsking(true)}>{t("password.removeDo", { n: others.length })}</Button>
          </div>
        </>
      )}
      {asking && (
        <Confirm
          title={t("password.removeTitle")}
          action={t("password.removeDo", { n: others.length })}
          onClose={() => setAsking(false)}
          act={async () => {
            const got = await devices.revokeOthers();
            setRemoved(got.ok);
            return got.ok ? undefined : t(`fail.${got.failure.code}`);
          }}
        >
          <p>{t("password.removeLead")}</p>
        </Confirm>
      )}
    </div>
  );
}
