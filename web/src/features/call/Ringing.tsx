import { Phone, PhoneOff, Video } from "lucide-react";
import { Dialog as AriaDialog, Heading } from "react-aria-components/Dialog";
import { Modal, ModalOverlay } from "react-aria-components/Modal";
import type { Ring } from "../../core/api.gen.ts";
import { useText } from "../../i18n/text.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import css from "./Ringing.module.css";

// Ringing is the screen of a call that comes in. It stays until it is answered
// or declined, here or on another device.
export function Ringing({
  ring,
  busy,
  onAnswer,
  onDecline,
}: {
  ring: Ring;
  busy: boolean; // in a call already
  onAnswer: (video: boolean) => void;
  onDecline: () => void;
}) {
  const t = useText();
  const title = ring.direct
    ? t("call.incoming", { name: ring.name })
    : t("call.incomingGroup", { name: ring.name, room: ring.title });
  return (
    <ModalOverlay className={css.veil ?? ""} isOpen isKeyboardDismissDisabled>
      <Modal className={css.modal ?? ""}>
        <AriaDialog role="alertdialog" className={css.dialog ?? ""}>
          <span className={css.face}>
            <Avatar id={ring.by} name={ring.name} size={104} />
          </span>
          <Heading slot="title" level={2}>
            {title}
          </Heading>
          <p>{t(ring.video ? "call.incomingVideo" : "call.incomingAudio")}</p>
          {busy && <p className={css.busy}>{t("call.endsOther")}</p>}
          <div className={css.acts}>
            <Round label={t("call.decline")} look="bad" onClick={onDecline}>
              <PhoneOff size={26} />
            </Round>
            {ring.video && (
              <Round label={t("call.answerVideo")} look="good" onClick={() => onAnswer(true)}>
                <Video size={26} />
              </Round>
            )}
            <Round label={t("call.answer")} look="good" onClick={() => onAnswer(false)}>
              <Phone size={26} />
            </Round>
          </div>
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  );
}

function Round({
  label,
  look,
  onClick,
  children,
}: {
  label: string;
  look: "good" | "bad";
  onClick: () => void;
  children: React.ReactNode;
}) {
  return (
    <button type="button" className={css.round} data-look={look} onClick={onClick}>
      <span aria-hidden="true">{children}</span>
      {label}
    </button>
  );
}
