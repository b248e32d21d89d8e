import { UserRoundX } from "lucide-react";
import { useState } from "react";
import type { Room } from "../../core/api.gen.ts";
import type { Core } from "../../core/core.ts";
import { useText } from "../../i18n/text.ts";
import { Button } from "../../ui/Button.tsx";
import { Confirm } from "../../ui/Dialog.tsx";
import css from "./Conversation.module.css";

// BackBanner asks about people whom a restore of the site has brought back into
// a room. Nothing is sent there before they are removed or accepted.
export function BackBanner({ core, room }: { core: Pick<Core, "call">; room: Room }) {
  const t = useText();
  const [asking, setAsking] = useState(false);
  if (!room.back || room.back.length === 0) return null;
  const who = room.back.map((name) => name || t("notice.someone")).join(", ");
  return (
    <section className={css.brought} aria-label={t("back.title")}>
      <UserRoundX size={22} aria-hidden="true" />
      <p>{t("back.text", { who })}</p>
      <Button look="quiet" onClick={() => setAsking(true)}>
        {t("back.accept")}
      </Button>
      {asking && (
        <Confirm
          title={t("back.title")}
          action={t("back.accept")}
          onClose={() => setAsking(false)}
          act={async () => {
            const got = await core.call("acceptRoom", { room: room.id });
            return got.ok ? undefined : t(`fail.${got.failure.code}`);
          }}
        >
          <p>{t("back.lead", { who })}</p>
        </Confirm>
      )}
    </section>
  );
}
