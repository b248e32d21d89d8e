import { useEffect } from "react";
import { useText } from "../../i18n/text.ts";
import type { LiveCall, Over } from "../../model/call/live.ts";
import { Button } from "../../ui/Button.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import css from "./Call.module.css";
import { overText } from "./words.ts";

const quietly = new Set<Over["why"]>(["left", "ended"]);

// OverCard says why a call is over. What the person knows anyway is not said.
export function OverCard({
  over,
  live,
  onAgain,
  onClose,
}: {
  over: Over;
  live: LiveCall;
  onAgain: () => void;
  onClose: () => void;
}) {
  const t = useText();
  const quiet = quietly.has(over.why);
  useEffect(() => {
    if (quiet) onClose();
  }, [quiet, onClose]);
  if (quiet) return null;
  const again = !["unsealed", "removed", "elsewhere", "refused"].includes(over.why);
  return (
    <Dialog
      title={overText(t, over)}
      onClose={onClose}
      foot={
        <>
          <Button look="quiet" onClick={onClose}>
            {t("do.close")}
          </Button>
          {again && (
            <Button look="main" onClick={onAgain}>
              {t(live.entry.room.kind === "direct" ? "call.callAgain" : "call.rejoin")}
            </Button>
          )}
        </>
      }
    >
      <p className={css.overLead}>
        {over.why === "unsealed" ? t("call.overUnsealedLead") : over.why === "failed" ? t(`fail.${over.code}`) : ""}
      </p>
    </Dialog>
  );
}
