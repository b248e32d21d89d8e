import { useEffect } from "react";
import type { LiveCall } from "../../model/call/live.ts";

// What a key does in a call, by where it stands on the keyboard, so that М on a
// Russian one mutes too.
const deeds: Record<string, (live: LiveCall) => void> = {
  KeyM: (live) => void live.own.setMicrophone(!live.own.state.snapshot().microphone.on),
  KeyV: (live) => void live.own.setCamera(!live.own.state.snapshot().camera.on),
  KeyH: (live) => live.setHand(!live.state.snapshot().hand),
};

const writes = "input, textarea, select, [contenteditable], [role=menu], [role=dialog], [role=alertdialog]";

// useKeys hears M, V, H and the held space bar while the call fills the screen.
export function useKeys(live: LiveCall): void {
  useEffect(() => {
    const elsewhere = (e: KeyboardEvent) => {
      const at = e.target as HTMLElement;
      if (at.closest(writes)) return true;
      // A button that was reached by keyboard is pressed by the space bar.
      return e.code === "Space" && at.closest("button, a") !== null && at.matches(":focus-visible");
    };
    const down = (e: KeyboardEvent) => {
      if (e.ctrlKey || e.metaKey || e.altKey || elsewhere(e)) return;
      if (e.code === "Space") {
        e.preventDefault();
        if (!e.repeat) live.own.hold(true);
        return;
      }
      if (e.repeat || e.shiftKey) return;
      deeds[e.code]?.(live);
    };
    const up = (e: KeyboardEvent) => {
      if (e.code !== "Space") return;
      if (live.own.state.snapshot().held) e.preventDefault();
      live.own.hold(false);
    };
    const away = () => live.own.hold(false);
    addEventListener("keydown", down);
    addEventListener("keyup", up);
    addEventListener("blur", away);
    return () => {
      removeEventListener("keydown", down);
      removeEventListener("keyup", up);
      removeEventListener("blur", away);
      away();
    };
  }, [live]);
}
