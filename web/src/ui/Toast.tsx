import { useCallback, useEffect, useState } from "react";
import css from "./Toast.module.css";

const stays = 4000; // ms

// useToast is one passing sentence: what to show now, and a way to say it.
export function useToast(): readonly [string | undefined, (text: string) => void] {
  const [said, setSaid] = useState<{ text: string }>();
  useEffect(() => {
    if (!said) return;
    const timer = setTimeout(() => setSaid(undefined), stays);
    return () => clearTimeout(timer);
  }, [said]);
  const say = useCallback((text: string) => setSaid({ text }), []);
  return [said?.text, say];
}

export function Toast({ text }: { text: string | undefined }) {
  return (
    <div className={css.place} role="status">
      {text && <p className={css.toast}>{text}</p>}
    </div>
  );
}
