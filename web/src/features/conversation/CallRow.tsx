import { Phone, PhoneIncoming, PhoneMissed, PhoneOutgoing, Video } from "lucide-react";
import type { ReactNode } from "react";
import type { CallItem, Item } from "../../core/api.gen.ts";
import { callLine, callTitle } from "../../i18n/calls.ts";
import { useText } from "../../i18n/text.ts";
import { Button } from "../../ui/Button.tsx";
import css from "./Message.module.css";

// CallRow is a call as a message: what became of it, and a way to call again.
export function CallRow({
  item,
  call,
  tab,
  onCall,
  meta,
}: {
  item: Item;
  call: CallItem;
  tab: number;
  onCall: ((video: boolean) => void) | undefined;
  meta: ReactNode;
}) {
  const t = useText();
  const Icon = call.live
    ? call.video
      ? Video
      : Phone
    : call.missed
      ? PhoneMissed
      : item.mine
        ? PhoneOutgoing
        : PhoneIncoming;
  const line = callLine(t, call);
  return (
    <div className={css.call} data-missed={call.missed || undefined} data-live={call.live || undefined}>
      <span className={css.callIcon}>
        <Icon size={20} aria-hidden="true" />
      </span>
      <span className={css.callWords}>
        <strong>{callTitle(t, call, item.mine)}</strong>
        <small>
          {line} {meta}
        </small>
      </span>
      {onCall && (
        <Button look={call.live ? "main" : "quiet"} tabIndex={tab} onClick={() => onCall(call.video)}>
          {t(call.live ? "call.join" : call.missed ? "call.callBack" : "call.callAgain")}
        </Button>
      )}
    </div>
  );
}
