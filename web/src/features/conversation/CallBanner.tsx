import { Phone } from "lucide-react";
import type { Room } from "../../core/api.gen.ts";
import { useText } from "../../i18n/text.ts";
import type { Calls } from "../../model/calls.ts";
import { useSnapshot } from "../../model/useSnapshot.ts";
import { Button } from "../../ui/Button.tsx";
import css from "./CallBanner.module.css";

// CallBanner says quietly that a call goes on in the room, and lets one in.
export function CallBanner({ calls, room }: { calls: Calls; room: Room }) {
  const t = useText();
  const call = useSnapshot(calls.list).byRoom.get(room.id);
  const live = useSnapshot(calls.live);
  const here = call !== undefined && call.me > 0 && live !== undefined;
  if (!call || here) return null; // one's own call is on screen anyway
  const words =
    call.me > 0
      ? t("call.here")
      : call.elsewhere
        ? t("call.elsewhereIn")
        : call.count > 0
          ? t("call.live", { n: call.count })
          : t("call.liveEmpty");
  return (
    <div className={css.banner} role="status">
      <Phone size={18} aria-hidden="true" />
      <span>
        {words}
        {call.people.length > 0 && <small>{call.people.map((p) => p.name).join(", ")}</small>}
      </span>
      <Button look="main" onClick={() => void calls.dial(room, false)}>
        {t("call.join")}
      </Button>
    </div>
  );
}
