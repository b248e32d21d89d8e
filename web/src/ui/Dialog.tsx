import { X } from "lucide-react";
import { type ReactNode, useState } from "react";
import { Dialog as AriaDialog, Heading } from "react-aria-components/Dialog";
import { Modal, ModalOverlay } from "react-aria-components/Modal";
import { useText } from "../i18n/text.ts";
import { Button, IconButton } from "./Button.tsx";
import css from "./Dialog.module.css";

// Dialog lies over everything until it is closed. On a phone a large one fills
// the screen.
export function Dialog({
  title,
  onClose,
  children,
  foot,
  start,
  size = "small",
  alert = false,
  bare = false,
}: {
  title: string;
  onClose: () => void;
  children: ReactNode;
  foot?: ReactNode;
  start?: ReactNode;
  size?: "small" | "tall" | "wide" | "large";
  alert?: boolean;
  bare?: boolean; // the content brings its own padding
}) {
  const t = useText();
  return (
    <ModalOverlay
      className={css.veil ?? ""}
      isOpen
      isDismissable={!alert}
      onOpenChange={(open) => !open && onClose()}
      data-size={size}
    >
      <Modal className={css.modal ?? ""} data-size={size}>
        <AriaDialog className={css.dialog ?? ""} role={alert ? "alertdialog" : "dialog"}>
          <header className={css.head}>
            {start}
            <Heading slot="title" level={2}>
              {title}
            </Heading>
            {!alert && (
              <IconButton label={t("do.close")} onClick={onClose} size={36}>
                <X size={20} />
              </IconButton>
            )}
          </header>
          <div className={`${css.body} scroll`} data-bare={bare || undefined}>
            {children}
          </div>
          {foot && <footer className={css.foot}>{foot}</footer>}
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  );
}

// Confirm asks before something that cannot be taken back. It stays open, and
// says why, when the act fails: act answers with that sentence.
export function Confirm({
  title,
  action,
  children,
  onClose,
  act,
  bad = true,
}: {
  title: string;
  action: string;
  children: ReactNode;
  onClose: () => void;
  act: () => Promise<string | undefined>;
  bad?: boolean;
}) {
  const t = useText();
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<string>();
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
          <Button
            look={bad ? "bad" : "main"}
            busy={busy}
            onClick={async () => {
              setBusy(true);
              const wrong = await act();
              setBusy(false);
              if (wrong) setFailed(wrong);
              else onClose();
            }}
          >
            {action}
          </Button>
        </>
      }
    >
      <div className={css.words}>{children}</div>
      {failed && (
        <p className={css.failed} role="alert">
          {failed}
        </p>
      )}
    </Dialog>
  );
}
