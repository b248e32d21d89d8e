import { type ReactNode, useEffect, useRef, useState } from "react";
import { refused } from "../../i18n/format.ts";
import { type Key, useText } from "../../i18n/text.ts";
import { useSnapshot } from "../../model/useSnapshot.ts";
import { Button } from "../../ui/Button.tsx";
import { Field } from "../../ui/Field.tsx";
import { PasswordField } from "../../ui/PasswordField.tsx";
import { Ring } from "../../ui/Ring.tsx";
import { Card } from "./Card.tsx";
import css from "./Entry.module.css";
import { type EntryForm, type EntryState, type Purpose, takesPassword } from "./entryForm.ts";

// What to do about a link that is good for nothing.
const deadLeads = {
  setup: "setup.deadLead",
  join: "entry.linkDeadLead",
  reset: "reset.deadLead",
  signIn: "entry.linkDeadLead",
  again: "entry.linkDeadLead",
} as const satisfies Record<Purpose, Key>;

// Entry is set-up, sign-up by invite, sign-in, or a new password by a link. me is
// the name of who is at home in this browser, if anybody is; children stand below
// the form.
export function Entry({
  form,
  me = "",
  onLeave,
  children,
}: {
  form: EntryForm;
  me?: string;
  onLeave?: () => void;
  children?: ReactNode;
}) {
  const t = useText();
  const state = useSnapshot(form.state);
  const { step, purpose, who } = state;
  useEffect(() => {
    void form.check();
    return () => form.stop();
  }, [form]);
  const leave = (
    <Button look="main" wide onClick={onLeave}>
      {t(me ? "reset.leave" : "entry.toSignIn")}
    </Button>
  );

  if (step === "checking") return <Waiting label={purpose === "signIn" ? t("app.loading") : t("entry.checking")} />;
  if (step === "unreachable") {
    return (
      <Card title={t("entry.unreachable")} lead={t("entry.unreachableLead")}>
        <p className={css.waiting}>
          <Ring size={22} label={t("net.connecting")} />
        </p>
      </Card>
    );
  }
  if (step === "dead") {
    return (
      <Card title={t("entry.linkDead")} lead={t(deadLeads[purpose])}>
        {leave}
      </Card>
    );
  }
  if (step === "done") {
    return (
      <Card title={t("reset.doneTitle")} lead={t("reset.doneLead")}>
        {leave}
      </Card>
    );
  }
  if (step === "other") {
    return (
      <Card title={t("reset.otherTitle", { name: who })} lead={t("reset.otherLead", { me })}>
        {leave}
      </Card>
    );
  }
  return (
    <Form form={form} state={state} known={me !== ""}>
      {children}
    </Form>
  );
}

function Form({
  form,
  state,
  known,
  children,
}: {
  form: EntryForm;
  state: EntryState;
  known: boolean; // this device has its place and its name
  children: ReactNode;
}) {
  const t = useText();
  const { purpose, values, wrong, retry, step, org, who } = state;
  const [naming, setNaming] = useState(false);
  const inputs = useRef<HTMLFormElement>(null);
  const fresh = takesPassword(purpose);
  const busy = step === "working";

  // What is wrong is where one goes on typing.
  useEffect(() => {
    if (Object.keys(wrong).length > 0) inputs.current?.querySelector<HTMLElement>("[aria-invalid]")?.focus();
  }, [wrong]);

  const words = {
    setup: { title: t("setup.title"), lead: t("setup.lead"), action: t("setup.do"), doing: t("entry.working") },
    join: { title: t("join.title", { org }), lead: t("join.lead"), action: t("join.do"), doing: t("entry.working") },
    signIn: {
      title: t("signIn.title"),
      lead: org ? t("signIn.lead", { org }) : undefined,
      action: t("signIn.do"),
      doing: t("entry.signingIn"),
    },
    again: { title: t("ended.title"), lead: t("ended.lead"), action: t("ended.again"), doing: t("entry.signingIn") },
    reset: {
      title: t("reset.title", { name: who }),
      lead: t("reset.lead", { org }),
      action: t("reset.do"),
      doing: t("reset.working"),
    },
  }[purpose];
  const said = (key: keyof EntryState["wrong"]) => {
    const what = wrong[key];
    if (what === "ended.occupied") return t(what, { name: who });
    return what ? refused(t, what, retry) : undefined;
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
          hint={fresh && !who ? t("entry.nameHint") : undefined}
          error={said("name")}
          value={values.name}
          name="username"
          autoComplete="username"
          readOnly={who !== ""}
          autoFocus={purpose !== "setup" && !who}
          onChange={(e) => form.edit("name", e.target.value)}
        />
        <PasswordField
          label={fresh ? t("entry.newPassword") : t("entry.password")}
          hint={fresh ? t("entry.passwordHint") : undefined}
          error={said("password")}
          value={values.password}
          name="password"
          fresh={fresh}
          autoFocus={who !== ""}
          onChange={(e) => form.edit("password", e.target.value)}
        />
        {known ? null : naming || wrong.device ? (
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
          {busy ? words.doing : words.action}
        </Button>
      </form>
      {purpose === "signIn" && <p className={css.aside}>{t("signIn.noAccount")}</p>}
      {children}
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
