import { lazy } from "react";

const lightbox = () => import("./Lightbox.tsx");
const emoji = () => import("./Emoji.tsx");

export const Lightbox = lazy(lightbox);
export const Emoji = lazy(emoji);

// Fetched in a quiet moment, like the parts of app/parts.ts.
export const conversationParts = [lightbox, emoji] as const;
