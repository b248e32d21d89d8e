import { UserRoundX } from "lucide-react";
import { useState } from "react";
import type { Returned, Room } from "../../core/api.gen.ts";
import type { Core } from "../../core/core.ts";
import { useText } from "../../i18n/text.ts";
import { Button } from "../../ui/Button.tsx";
import { Confirm } from "../../ui/Dialog.tsx";
import css from "./Conversation.module.css";

// BackBanner asks about people who are in a room and whom this device has not seen
// come in. Nothing is sent there before they are removed or accepted.
export function BackBanner({ core, room }: { core: Pick<Core, "call">; room: Room }) {
  const t = useText();
  const [asked, setAsked] = useState<readonly Returned[]>(); // about whom the person was asked
  if (!room.back || room.back.length === 0) return null;
  const names = (list: readonly Returned[]) => list.map(({ name }) => name || t("notice.someone")).join(", ");
  return (
    <section className={css.brought} aria-label={t("back.title")}>
      <UserRoundX size={22} aria-hidden="true" />
      <p>{t("back.text", { who: names(room.back) })}</p>
      <Button look="quiet" onClick={() => setAsked(room.back)}>
        {t("back.accept")}
      </Button>
      {asked && (
        <Confirm
          title={t("back.title")}
          action={t("back.accept")}
          onClose={() => setAsked(undefined)}
          act={async () => {
            const got = await core.call("acceptRoom", { room: room.id, members: asked.map(({ id }) => id) });
            return got.ok ? undefined : t(`fail.${got.failure.code}`);
          }}
        >
          <p>{t("back.lead", { who: names(asked) })}</p>
        </Confirm>
      )}
    </section>
  );
}
