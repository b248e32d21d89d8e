import { useState } from "react";
import type { Invite } from "../../core/api.gen.ts";
import type { Core } from "../../core/core.ts";
import { moment } from "../../i18n/format.ts";
import { useText } from "../../i18n/text.ts";
import { Button } from "../../ui/Button.tsx";
import { CopyButton } from "../../ui/Code.tsx";
import css from "./Settings.module.css";

// InvitePart makes links for new people.
export function InvitePart({ core }: { core: Pick<Core, "call"> }) {
  const t = useText();
  const [invite, setInvite] = useState<Invite>();
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState<string>();
  const make = async () => {
    setBusy(true);
    const got = await core.call("createInvite", {});
    setBusy(false);
    setWrong(got.ok ? undefined : t(`fail.${got.failure.code}`));
    if (got.ok) setInvite(got.value);
  };
  const link = invite && (invite.link || `${location.origin}/join#${invite.token}`);
  return (
    <div className={css.stack}>
      <p className={css.lead}>
        {invite ? t("invite.lead", { when: moment(t, invite.expires) }) : t("invite.leadFirst")}
      </p>
      {link && (
        <>
          <output className={css.link} aria-label={t("invite.link")}>
            {link}
          </output>
          <p className={css.lead}>{t("invite.careful")}</p>
        </>
      )}
      {wrong && (
        <p className={css.wrong} role="alert">
          {wrong}
        </p>
      )}
      <div className={css.acts}>
        {link && <CopyButton key={link} look="main" text={link} label={t("invite.copy")} />}
        <Button look={link ? "plain" : "main"} busy={busy} onClick={() => void make()}>
          {t(link ? "invite.another" : "invite.do")}
        </Button>
      </div>
    </div>
  );
}
