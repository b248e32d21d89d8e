import { useEffect, useState } from "react";
import { useText } from "../../i18n/text.ts";
import { callOfLink } from "../../model/calls.ts";
import type { Model } from "../../model/model.ts";
import { useSnapshot } from "../../model/useSnapshot.ts";
import { Button } from "../../ui/Button.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { Ring } from "../../ui/Ring.tsx";

type State = { at: "ask" } | { at: "waiting" } | { at: "failed"; text: string };

// KnockAtDoor asks to be let into the call of a link. Who is let in is brought
// to its lobby; who is a member already, too.
export function KnockAtDoor({ model, link, onClose }: { model: Model; link: string; onClose: () => void }) {
  const t = useText();
  const [state, setState] = useState<State>({ at: "ask" });
  const id = callOfLink(link);
  const { byRoom } = useSnapshot(model.calls.list);
  const rooms = useSnapshot(model.rooms.list).byId;
  const call = [...byRoom.values()].find((c) => c.id === id);
  const room = call && rooms.get(call.room);
  useEffect(() => {
    if (room?.state !== "open") return;
    onClose();
    void model.calls.dial(room, false);
  }, [room, model, onClose]);
  useEffect(
    () =>
      model.core.on("callGone", (gone) => {
        if (gone.call === id && gone.why === "refused") setState({ at: "failed", text: t("call.knockRefused") });
      }),
    [model, id, t],
  );
  const knock = async () => {
    setState({ at: "waiting" });
    const got = await model.core.call("knock", { link });
    if (!got.ok) setState({ at: "failed", text: t(`fail.${got.failure.code}`) });
  };
  return (
    <Dialog
      title={t("call.knockTitle")}
      onClose={onClose}
      foot={
        state.at === "waiting" ? undefined : (
          <Button look="main" onClick={() => void knock()}>
            {t("call.knockDo")}
          </Button>
        )
      }
    >
      {state.at === "waiting" ? (
        <p role="status">
          <Ring size={18} label={t("call.knockWait")} /> {t("call.knockWait")}
        </p>
      ) : (
        <p>{t("call.knockAsk")}</p>
      )}
      {state.at === "failed" && <p role="alert">{state.text}</p>}
    </Dialog>
  );
}
