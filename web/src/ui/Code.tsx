import { Check, Copy } from "lucide-react";
import { useEffect, useState } from "react";
import { useText } from "../i18n/text.ts";
import { Button } from "./Button.tsx";
import css from "./Code.module.css";

// Code shows letters that people compare or write down, in their groups.
export function Code({ value, label, small = false }: { value: string; label: string; small?: boolean }) {
  const groups = value.split(/[\s-]+/).filter(Boolean);
  return (
    <div className={css.code} data-small={small || undefined} role="img" aria-label={`${label}: ${spelled(groups)}`}>
      {groups.map((g, n) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: groups never move
        <span key={n}>{g}</span>
      ))}
    </div>
  );
}

// spelled makes a screen reader say letter by letter.
function spelled(groups: readonly string[]): string {
  return groups.map((g) => [...g].join(" ")).join(", ");
}

// CopyButton puts text on the clipboard and says that it did.
export function CopyButton({ text, label, look = "plain" }: { text: string; label: string; look?: "plain" | "main" }) {
  const t = useText();
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 2500);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <Button look={look} onClick={async () => setCopied(await copy(text))}>
      {copied ? <Check size={18} /> : <Copy size={18} />}
      <span aria-live="polite">{copied ? t("key.copied") : label}</span>
    </Button>
  );
}

export async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
