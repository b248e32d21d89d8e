import {
  ArrowLeft,
  Info,
  KeyRound,
  Laptop,
  LockKeyhole,
  LogOut,
  Palette,
  Phone,
  ShieldCheck,
  UserPlus,
  Users,
} from "lucide-react";
import { type ReactNode, useState } from "react";
import type { Status } from "../../core/api.gen.ts";
import { type Key, type LanguageChoice, useText } from "../../i18n/text.ts";
import type { Model } from "../../model/model.ts";
import { useSnapshot } from "../../model/useSnapshot.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { IconButton } from "../../ui/Button.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { Appearance, type ThemeChoice } from "./Appearance.tsx";
import { DevicesPart } from "./DevicesPart.tsx";
import { InvitePart } from "./InvitePart.tsx";
import { PasswordPart } from "./PasswordPart.tsx";
import { PeoplePart } from "./PeoplePart.tsx";
import { RecoveryPart } from "./RecoveryPart.tsx";
import { SecurityPart } from "./SecurityPart.tsx";
import css from "./Settings.module.css";
import { SignOutPart } from "./SignOutPart.tsx";

export type Part =
  | "appearance"
  | "devices"
  | "password"
  | "recovery"
  | "calls"
  | "invite"
  | "people"
  | "security"
  | "signOut";

export interface Choices {
  readonly theme: ThemeChoice;
  readonly language: LanguageChoice;
  setTheme(theme: ThemeChoice): void;
  setLanguage(language: LanguageChoice): void;
}

interface Tab {
  readonly part: Part;
  readonly label: Key;
  readonly icon: ReactNode;
  readonly admins?: true; // shown to administrators alone
}

const tabs: readonly Tab[] = [
  { part: "appearance", label: "settings.appearance", icon: <Palette size={20} /> },
  { part: "devices", label: "settings.devices", icon: <Laptop size={20} /> },
  { part: "password", label: "settings.password", icon: <LockKeyhole size={20} /> },
  { part: "recovery", label: "settings.recovery", icon: <KeyRound size={20} /> },
  { part: "calls", label: "check.settings", icon: <Phone size={20} /> },
  { part: "invite", label: "settings.invite", icon: <UserPlus size={20} />, admins: true },
  { part: "people", label: "settings.people", icon: <Users size={20} />, admins: true },
  { part: "security", label: "settings.security", icon: <ShieldCheck size={20} /> },
  { part: "signOut", label: "settings.signOut", icon: <LogOut size={20} /> },
];

// Settings is a dialog: its parts on the left, the chosen one on the right; on
// a phone one after the other. Lazily loaded, hence the default export.
// biome-ignore lint/style/noDefaultExport: React.lazy asks for it
export default function Settings({
  model,
  status,
  choices,
  start,
  callCheck,
  onClose,
}: {
  model: Model;
  status: Status;
  choices: Choices;
  start: Part | undefined;
  callCheck: ReactNode;
  onClose: () => void;
}) {
  const t = useText();
  const [part, setPart] = useState<Part | undefined>(start);
  const devices = useSnapshot(model.devices.list);
  const pending = devices?.filter((d) => d.state === "pending").length ?? 0;
  const shown = tabs.filter((tab) => !tab.admins || status.admin);
  // Who is no longer an administrator loses sight of what only they do.
  const heading = shown.find((tab) => tab.part === part) ?? shown[0];
  const current = heading?.part ?? "appearance";
  return (
    <Dialog
      title={t("settings.title")}
      onClose={onClose}
      size="large"
      bare
      start={
        part && (
          <span className={css.back}>
            <IconButton label={t("settings.back")} size={36} onClick={() => setPart(undefined)}>
              <ArrowLeft size={20} />
            </IconButton>
          </span>
        )
      }
    >
      <div className={css.columns} data-inside={part ? true : undefined} data-fill={current === "people" || undefined}>
        <nav className={`${css.nav} scroll`} aria-label={t("settings.title")}>
          <div className={css.me}>
            <Avatar id={status.me?.id ?? ""} name={status.me?.name ?? ""} size={48} />
            <span>
              <strong>{status.me?.name}</strong>
              <small>{t(status.admin ? "settings.admin" : "settings.memberOf", { org: status.org })}</small>
            </span>
          </div>
          {shown.map((tab) => (
            <button
              key={tab.part}
              type="button"
              className={css.tab}
              data-bad={tab.part === "signOut" || undefined}
              aria-current={tab.part === current ? "page" : undefined}
              onClick={() => setPart(tab.part)}
            >
              {tab.icon}
              <span>{t(tab.label)}</span>
              {tab.part === "devices" && pending > 0 && <b>{pending}</b>}
            </button>
          ))}
          <p className={css.version}>
            <Info size={14} aria-hidden="true" />
            {t("settings.version", { version: status.version })}
          </p>
        </nav>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scroller must be reachable by keyboard */}
        <section className={`${css.part} scroll`} tabIndex={0} aria-label={heading && t(heading.label)}>
          <h3>{heading && t(heading.label)}</h3>
          {current === "calls" ? callCheck : <Content part={current} model={model} status={status} choices={choices} />}
        </section>
      </div>
    </Dialog>
  );
}

function Content({
  part,
  model,
  status,
  choices,
}: {
  part: Exclude<Part, "calls">;
  model: Model;
  status: Status;
  choices: Choices;
}) {
  switch (part) {
    case "appearance":
      return <Appearance choices={choices} />;
    case "devices":
      return <DevicesPart devices={model.devices} />;
    case "password":
      return <PasswordPart core={model.core} devices={model.devices} name={status.me?.name ?? ""} />;
    case "people":
      return <PeoplePart core={model.core} people={model.people.list} />;
    case "recovery":
      return <RecoveryPart core={model.core} name={status.me?.name ?? ""} org={status.org} />;
    case "invite":
      return <InvitePart core={model.core} />;
    case "security":
      return <SecurityPart />;
    case "signOut":
      return <SignOutPart core={model.core} devices={model.devices} />;
  }
}
