import type { ReactNode, RefObject } from "react";
import { Menu as AriaMenu, MenuItem, MenuTrigger } from "react-aria-components/Menu";
import { Popover } from "react-aria-components/Popover";
import css from "./Menu.module.css";

export interface Entry {
  readonly id: string;
  readonly label: string;
  readonly icon?: ReactNode;
  readonly bad?: boolean;
  readonly act: () => void;
}

// MenuButton opens a menu below what it is given: a react-aria Button.
export function MenuButton({
  label,
  entries,
  children,
}: {
  label: string;
  entries: readonly Entry[];
  children: ReactNode;
}) {
  return (
    <MenuTrigger>
      {children}
      <Popover className={css.popover ?? ""} placement="bottom end" offset={4}>
        <Entries label={label} entries={entries} />
      </Popover>
    </MenuTrigger>
  );
}

// MenuAt is an open menu beside an element, for right clicks and long presses.
export function MenuAt({
  label,
  entries,
  at,
  onClose,
}: {
  label: string;
  entries: readonly Entry[];
  at: RefObject<Element | null>;
  onClose: () => void;
}) {
  return (
    <Popover
      className={css.popover ?? ""}
      aria-label={label}
      isOpen
      triggerRef={at}
      placement="bottom start"
      offset={2}
      onOpenChange={(open) => !open && onClose()}
    >
      <Entries label={label} entries={entries} onClose={onClose} />
    </Popover>
  );
}

function Entries({ label, entries, onClose }: { label: string; entries: readonly Entry[]; onClose?: () => void }) {
  return (
    <AriaMenu
      className={css.menu ?? ""}
      aria-label={label}
      autoFocus="first"
      {...(onClose ? { onClose } : {})}
      onAction={(id) => entries.find((e) => e.id === id)?.act()}
    >
      {entries.map((e) => (
        <MenuItem key={e.id} id={e.id} textValue={e.label} className={css.item ?? ""} data-bad={e.bad || undefined}>
          {e.icon}
          <span>{e.label}</span>
        </MenuItem>
      ))}
    </AriaMenu>
  );
}
