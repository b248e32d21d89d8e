import { useCallback, useEffect, useState } from "react";

interface PictureInPicture {
  requestWindow(size: { width: number; height: number }): Promise<Window>;
}

const offered = () => (globalThis as { documentPictureInPicture?: PictureInPicture }).documentPictureInPicture;

/** canPip says whether the browser offers a small window that stays above others. */
export function canPip(): boolean {
  return offered() !== undefined;
}

// usePip is a window of its own for the small form of a call.
export function usePip(): readonly [Window | undefined, () => Promise<boolean>, () => void] {
  const [pip, setPip] = useState<Window>();
  const open = useCallback(async () => {
    try {
      const made = await offered()?.requestWindow({ width: 320, height: 250 });
      if (!made) return false;
      dress(made.document);
      made.addEventListener("pagehide", () => setPip(undefined), { once: true });
      setPip(made);
      return true;
    } catch {
      return false; // the browser wants a click first, or the person said no
    }
  }, []);
  const close = useCallback(() => {
    setPip((p) => {
      p?.close();
      return undefined;
    });
  }, []);
  useEffect(() => () => pip?.close(), [pip]);
  return [pip, open, close];
}

// dress gives the other window our own style sheets, language and theme.
function dress(other: Document): void {
  for (const sheet of document.querySelectorAll<HTMLLinkElement>("link[rel=stylesheet]")) {
    const link = other.createElement("link");
    link.rel = "stylesheet";
    link.href = sheet.href;
    other.head.append(link);
  }
  const { lang, dataset } = document.documentElement;
  other.documentElement.lang = lang;
  if (dataset.theme) other.documentElement.dataset.theme = dataset.theme;
  other.title = document.title;
}
