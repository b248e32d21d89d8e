import { useEffect, useMemo, useRef, useState } from "react";
import { I18nProvider } from "react-aria-components/I18nProvider";
import { Card } from "../features/entry/Card.tsx";
import { Ended } from "../features/entry/Ended.tsx";
import { Enrol } from "../features/entry/Enrol.tsx";
import { Entry } from "../features/entry/Entry.tsx";
import { deviceParts, EntryForm, type Ways } from "../features/entry/entryForm.ts";
import { KeyOnce } from "../features/entry/KeyOnce.tsx";
import { type Text, useText } from "../i18n/text.ts";
import type { Model } from "../model/model.ts";
import { useSnapshot } from "../model/useSnapshot.ts";
import { Bell } from "../ui/Bell.tsx";
import { Boundary } from "../ui/Boundary.tsx";
import { Button } from "../ui/Button.tsx";
import css from "./App.module.css";
import type { Choices } from "./choices.ts";
import { type Link, linkOf } from "./link.ts";
import { Main } from "./Main.tsx";

// App shows the screen for where this device stands.
export function App({ model, choices }: { model: Model; choices: Choices }) {
  const t = useText();
  return (
    <I18nProvider locale={t.language}>
      <Boundary
        instead={() => (
          <Card title={t("app.broken")} lead={t("app.brokenLead")}>
            <Button look="main" wide onClick={() => location.reload()}>
              {t("app.reload")}
            </Button>
          </Card>
        )}
      >
        <Screen model={model} choices={choices} />
      </Boundary>
    </I18nProvider>
  );
}

function Screen({ model, choices }: { model: Model; choices: Choices }) {
  const t = useText();
  const status = useSnapshot(model.session.status);
  const trouble = useSnapshot(model.session.trouble);
  const { recoveryKey } = useSnapshot(model.session.entrance);
  const [link, setLink] = useState(linkOf(location.pathname, location.hash));

  // Once inside, the link is history: its secret leaves the address bar. A link to
  // a new password is good for somebody who is inside, too.
  const done = status !== undefined && status.phase !== "fresh" && link?.purpose !== "reset";
  useEffect(() => {
    if (done && linkOf(location.pathname, "")) history.replaceState(null, "", "/");
  }, [done]);
  const leave = () => {
    history.replaceState(null, "", "/");
    setLink(undefined);
  };

  if (trouble && !status)
    return <Card title={t("app.cannot")} lead={t(trouble === "unsupported" ? "app.tooOld" : `fail.${trouble}`)} />;
  if (!status) return <Splash label={t("app.loading")} />;
  if (recoveryKey) {
    return (
      <KeyOnce
        recoveryKey={recoveryKey}
        name={status.me?.name ?? ""}
        org={status.org}
        onKept={() => model.session.keyIsKept()}
      />
    );
  }
  if (status.phase === "fresh" || link?.purpose === "reset") {
    const me = status.phase === "fresh" ? undefined : status.me?.name;
    return <EntryScreen key={link?.token ?? ""} model={model} link={link} me={me} onLeave={leave} />;
  }
  switch (status.phase) {
    case "enrolling":
      return (
        <Enrol
          status={status}
          recover={(key) => model.session.recover(key)}
          onCancel={() => void model.core.call("signOut", { forget: true })}
        />
      );
    case "ended":
      return <EndedScreen model={model} me={status.me?.name ?? ""} />;
    default:
      return <Main model={model} status={status} choices={choices} />;
  }
}

function EntryScreen({
  model,
  link,
  me,
  onLeave,
}: {
  model: Model;
  link: Link | undefined;
  me: string | undefined; // who is at home in this browser
  onLeave: () => void;
}) {
  const t = useText();
  const [unready, setUnready] = useState(false);
  const leave = useRef(onLeave);
  useEffect(() => {
    leave.current = onLeave;
  });
  const ways = useMemo<Ways>(
    () => ({
      signUp: (how) => model.session.signUp(how),
      signIn: (how) => model.session.signIn(how),
      reset: async (how) => {
        const got = await model.session.reset(how);
        // The link is used up: what is left is to let this device in.
        if (got.ok && got.value.phase !== "ready") leave.current();
        return got;
      },
    }),
    [model],
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: one form, even if the language changes under it
  const form = useMemo(
    () => new EntryForm(model.core, ways, link?.purpose ?? "signIn", link?.token ?? "", deviceName(t), me),
    [model, ways, link],
  );
  useEffect(() => {
    if (link) return;
    void model.core.call("site", {}).then((got) => setUnready(got.ok && !got.value.ready));
  }, [model, link]);
  if (unready) return <Card title={t("entry.notReady")} lead={t("entry.notReadyLead")} />;
  return <Entry form={form} {...(me ? { me } : {})} onLeave={onLeave} />;
}

function EndedScreen({ model, me }: { model: Model; me: string }) {
  const t = useText();
  // biome-ignore lint/correctness/useExhaustiveDependencies: one form, even if the language changes under it
  const form = useMemo(() => new EntryForm(model.core, model.session, "again", "", deviceName(t), me), [model, me]);
  const wipe = async () => {
    const got = await model.core.call("signOut", { forget: true });
    return got.ok ? undefined : t(`fail.${got.failure.code}`);
  };
  return <Ended form={form} me={me} wipe={wipe} />;
}

function deviceName(t: Text): string {
  return t("entry.deviceName", deviceParts(navigator.userAgent));
}

function Splash({ label }: { label: string }) {
  return (
    <div className={css.splash} role="status" aria-label={label}>
      <Bell size={64} />
    </div>
  );
}
