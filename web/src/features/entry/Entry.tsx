import { Eye, EyeOff } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useText } from "../../i18n/text.ts";
import { useSnapshot } from "../../model/useSnapshot.ts";
import { Button, IconButton } from "../../ui/Button.tsx";
import { Field } from "../../ui/Field.tsx";
import { Ring } from "../../ui/Ring.tsx";
import { Card } from "./Card.tsx";
import css from "./Entry.module.css";
import type { EntryForm, EntryState } from "./entryForm.ts";

// Entry is set-up, sign-up by invite, or sign-in.
export function Entry({ form, onSignIn }: { form: EntryForm; onSignIn: () => void }) {
  const t = useText();
  const state = useSnapshot(form.state);
  useEffect(() => {
    void form.check();
    return () => form.stop();
  }, [form]);

  switch (state.step) {
    case "checking":
      return <Waiting label={state.purpose === "signIn" ? t("app.loading") : t("entry.checking")} />;
    case "unreachable":
      return (
        <Card title={t("entry.unreachable")} lead={t("entry.unreachableLead")}>
          <p className={css.waiting}>
            <Ring size={22} label={t("net.connecting")} />
          </p>
        </Card>
      );
    case "dead":
      return (
        <Card title={t("entry.linkDead")} lead={t("entry.linkDeadLead")}>
          <Button look="main" wide onClick={onSignIn}>
            {t("entry.toSignIn")}
          </Button>
        </Card>
      );
    default:
      return <Form form={form} state={state} />;
  }
}

function Form({ form, state }: { form: EntryForm; state: EntryState }) {
  const t = useText();
  const { purpose, values, wrong, step, org } = state;
  const [shown, setShown] = useState(false);
  const [naming, setNaming] = useState(false);
  const inputs = useRef<HTMLFormElement>(null);
  const fresh = purpose !== "signIn";
  const busy = step === "working";

  // What is wrong is where one goes on typing.
  useEffect(() => {
    if (Object.keys(wrong).length > 0) inputs.current?.querySelector<HTMLElement>("[aria-invalid]")?.focus();
  }, [wrong]);

  const words = {
    setup: { title: t("setup.title"), lead: t("setup.lead"), action: t("setup.do") },
    join: { title: t("join.title", { org }), lead: t("join.lead"), action: t("join.do") },
    signIn: { title: t("signIn.title"), lead: org ? t("signIn.lead", { org }) : undefined, action: t("signIn.do") },
  }[purpose];
  const said = (key: keyof EntryState["wrong"]) => {
    const what = wrong[key];
    return what ? t(what) : undefined;
  };

  return (
    <Card title={words.title} lead={words.lead}>
      <form
        ref={inputs}
        className={css.form}
        noValidate
        onSubmit={(e) => {
          e.preventDefault();
          void form.submit();
        }}
      >
        {purpose === "setup" && (
          <Field
            label={t("setup.org")}
            hint={t("setup.orgHint")}
            error={said("org")}
            value={values.org}
            autoComplete="organization"
            autoFocus
            onChange={(e) => form.edit("org", e.target.value)}
          />
        )}
        <Field
          label={t("entry.name")}
          hint={fresh ? t("entry.nameHint") : undefined}
          error={said("name")}
          value={values.name}
          name="username"
          autoComplete="username"
          autoFocus={purpose !== "setup"}
          onChange={(e) => form.edit("name", e.target.value)}
        />
        <Field
          label={fresh ? t("entry.newPassword") : t("entry.password")}
          hint={fresh ? t("entry.passwordHint") : undefined}
          error={said("password")}
          value={values.password}
          name="password"
          type={shown ? "text" : "password"}
          autoComplete={fresh ? "new-password" : "current-password"}
          onChange={(e) => form.edit("password", e.target.value)}
          end={
            <IconButton
              label={shown ? t("entry.hidePassword") : t("entry.showPassword")}
              size={38}
              onClick={() => setShown(!shown)}
            >
              {shown ? <EyeOff size={18} /> : <Eye size={18} />}
            </IconButton>
          }
        />
        {naming || wrong.device ? (
          <Field
            label={t("entry.device")}
            error={said("device")}
            value={values.device}
            autoComplete="off"
            autoFocus={naming}
            onChange={(e) => form.edit("device", e.target.value)}
          />
        ) : (
          <p className={css.device}>
            {t("entry.thisDevice", { name: values.device })}{" "}
            <button type="button" onClick={() => setNaming(true)}>
              {t("entry.changeDevice")}
            </button>
          </p>
        )}
        {wrong.form && (
          <p className={css.wrong} role="alert">
            {said("form")}
          </p>
        )}
        <Button look="main" type="submit" wide busy={busy}>
          {busy ? (fresh ? t("entry.working") : t("entry.signingIn")) : words.action}
        </Button>
      </form>
      {purpose === "signIn" && <p className={css.aside}>{t("signIn.noAccount")}</p>}
    </Card>
  );
}

function Waiting({ label }: { label: string }) {
  return (
    <main className={css.page}>
      <p className={css.waiting}>
        <Ring size={28} label={label} />
        {label}
      </p>
    </main>
  );
}
