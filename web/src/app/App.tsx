import { useEffect, useMemo, useState } from "react";
import { I18nProvider } from "react-aria-components/I18nProvider";
import { Card } from "../features/entry/Card.tsx";
import { Enrol } from "../features/entry/Enrol.tsx";
import { Entry } from "../features/entry/Entry.tsx";
import { deviceParts, EntryForm } from "../features/entry/entryForm.ts";
import { KeyOnce } from "../features/entry/KeyOnce.tsx";
import { useText } from "../i18n/text.ts";
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

  // Once inside, the link is history: its secret leaves the address bar.
  const inside = status !== undefined && status.phase !== "fresh";
  useEffect(() => {
    if (inside && linkOf(location.pathname, "")) history.replaceState(null, "", "/");
  }, [inside]);

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
  switch (status.phase) {
    case "fresh":
      return (
        <EntryScreen
          key={link?.token ?? ""}
          model={model}
          link={link}
          onSignIn={() => {
            history.replaceState(null, "", "/");
            setLink(undefined);
          }}
        />
      );
    case "enrolling":
      return (
        <Enrol
          status={status}
          recover={(key) => model.session.recover(key)}
          onCancel={() => void model.core.call("signOut", { forget: true })}
        />
      );
    case "ended":
      return (
        <Card title={t("ended.title")} lead={t("ended.lead")}>
          <Button look="bad" wide onClick={() => void model.core.call("signOut", { forget: true })}>
            {t("ended.wipe")}
          </Button>
        </Card>
      );
    default:
      return <Main model={model} status={status} choices={choices} />;
  }
}

function EntryScreen({ model, link, onSignIn }: { model: Model; link: Link | undefined; onSignIn: () => void }) {
  const t = useText();
  const [unready, setUnready] = useState(false);
  // biome-ignore lint/correctness/useExhaustiveDependencies: one form, even if the language changes under it
  const form = useMemo(
    () =>
      new EntryForm(
        model.core,
        model.session,
        link?.purpose ?? "signIn",
        link?.token ?? "",
        t("entry.deviceName", deviceParts(navigator.userAgent)),
      ),
    [model, link],
  );
  useEffect(() => {
    if (link) return;
    void model.core.call("site", {}).then((got) => setUnready(got.ok && !got.value.ready));
  }, [model, link]);
  if (unready) return <Card title={t("entry.notReady")} lead={t("entry.notReadyLead")} />;
  return <Entry form={form} onSignIn={onSignIn} />;
}

function Splash({ label }: { label: string }) {
  return (
    <div className={css.splash} role="status" aria-label={label}>
      <Bell size={64} />
    </div>
  );
}
