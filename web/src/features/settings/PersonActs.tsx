import { type ReactNode, useState } from "react";
import type { Person, ResetLink } from "../../core/api.gen.ts";
import type { Core, Result } from "../../core/core.ts";
import { moment } from "../../i18n/format.ts";
import { type Key, useText } from "../../i18n/text.ts";
import { Deed } from "../../model/deed.ts";
import { Button } from "../../ui/Button.tsx";
import { CopyButton } from "../../ui/Code.tsx";
import { DeedDialog } from "./DeedDialog.tsx";
import css from "./Settings.module.css";

// An Act is one thing that an administrator does to an account.
interface Act {
  readonly name: "reset" | "signOut" | "admin" | "adminEnd" | "close" | "open";
  readonly head: Key;
  readonly lead: Key;
  readonly action: Key;
  readonly title: Key;
  readonly bad?: boolean;
}

const acts: Readonly<Record<Act["name"], Act>> = {
  reset: {
    name: "reset",
    head: "people.reset",
    lead: "people.resetLead",
    action: "people.resetDo",
    title: "people.resetTitle",
  },
  signOut: {
    name: "signOut",
    head: "people.signOut",
    lead: "people.signOutLead",
    action: "people.signOut",
    title: "people.signOutTitle",
  },
  admin: {
    name: "admin",
    head: "people.admin",
    lead: "people.adminLead",
    action: "people.adminDo",
    title: "people.adminTitle",
  },
  adminEnd: {
    name: "adminEnd",
    head: "people.admin",
    lead: "people.adminLead",
    action: "people.adminEnd",
    title: "people.adminEndTitle",
    bad: true,
  },
  close: {
    name: "close",
    head: "people.close",
    lead: "people.closeLead",
    action: "people.close",
    title: "people.closeTitle",
    bad: true,
  },
  open: {
    name: "open",
    head: "people.open",
    lead: "people.openLead",
    action: "people.open",
    title: "people.openTitle",
  },
};

type Call = Pick<Core, "call">;

// doing is what each of them asks of the core.
function doing(core: Call, act: Act["name"], { id: person }: Person): () => Promise<Result<ResetLink | object>> {
  switch (act) {
    case "reset":
      return () => core.call("makeResetLink", { person });
    case "signOut":
      return () => core.call("endSessions", { person });
    case "admin":
    case "adminEnd":
      return () => core.call("setAdmin", { person, admin: act === "admin" });
    case "close":
      return () => core.call("shutAccount", { person });
    case "open":
      return () => core.call("openAccount", { person });
  }
}

// PersonActs is what an administrator can do about the account of one person:
// each with what it does and does not do.
export function PersonActs({ core, person }: { core: Call; person: Person }) {
  const t = useText();
  const [asked, setAsked] = useState<{ act: Act; deed: Deed<ResetLink | object> }>();
  const [link, setLink] = useState<ResetLink>();
  const [said, setSaid] = useState<string>();
  const { name } = person;

  // Of oneself nothing is asked that one does in one's own settings.
  const others: readonly Act[] = person.shut ? [] : [acts.reset, acts.signOut];
  const shown = [
    ...(person.me ? [] : others),
    person.admin ? acts.adminEnd : acts.admin,
    person.shut ? acts.open : acts.close,
  ].filter((a) => !person.shut || a.name === "open");

  return (
    <>
      {person.me && <p className={css.lead}>{t("people.me")}</p>}
      {shown.map((act) => (
        <section key={act.name} className={css.act}>
          <h4>{t(act.head)}</h4>
          <p className={css.lead}>{t(act.lead, { name })}</p>
          {act.name === "reset" && link && <MadeLink link={link} name={name} />}
          {act.name === "signOut" && said && (
            <p className={css.done} role="status">
              {said}
            </p>
          )}
          <div className={css.acts}>
            <Button
              look={act.bad ? "badQuiet" : "plain"}
              onClick={() => setAsked({ act, deed: new Deed(core, doing(core, act.name, person)) })}
            >
              {t(act.action)}
            </Button>
          </div>
        </section>
      ))}
      {asked && (
        <DeedDialog
          deed={asked.deed}
          title={t(asked.act.title, { name })}
          action={t(asked.act.action)}
          bad={asked.act.bad ?? false}
          onClose={() => setAsked(undefined)}
          onDone={(outcome) => {
            setAsked(undefined);
            if ("token" in outcome) setLink(outcome);
            setSaid(asked.act.name === "signOut" ? t("people.signOutDone", { name }) : undefined);
          }}
        >
          <p className={css.lead}>{t(asked.act.lead, { name })}</p>
        </DeedDialog>
      )}
    </>
  );
}

function MadeLink({ link, name }: { link: ResetLink; name: string }): ReactNode {
  const t = useText();
  const whole = link.link || `${location.origin}/reset#${link.token}`;
  return (
    <>
      <output className={css.link} aria-label={t("people.resetLink")}>
        {whole}
      </output>
      <p className={css.lead}>{t("people.resetShown", { name, when: moment(t, link.expires) })}</p>
      <div className={css.acts}>
        <CopyButton key={whole} look="main" text={whole} label={t("invite.copy")} />
      </div>
    </>
  );
}
