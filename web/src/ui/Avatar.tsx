import { memo } from "react";
import css from "./Avatar.module.css";

// Eight hues that white letters stand on in both themes.
const hues = 8;

export function hueOf(id: string): number {
  let h = 7;
  for (let i = 0; i < id.length; i++) h = (h * 31 + id.charCodeAt(i)) >>> 0;
  return h % hues;
}

// initials are the first letters of the first and the last word.
export function initials(name: string): string {
  const words = name.match(/[\p{L}\p{N}]+/gu) ?? [];
  const first = words[0] ?? "";
  const last = words.length > 1 ? (words.at(-1) ?? "") : "";
  return ([...first][0] ?? "").toUpperCase() + ([...last][0] ?? "").toUpperCase();
}

export type AvatarShape = "person" | "group" | "self";

// Avatar stands for a person (round) or a group (square). It is decoration: the
// name is always beside it.
export const Avatar = memo(function Avatar({
  id,
  name,
  shape = "person",
  size = 48,
  online = false,
}: {
  id: string;
  name: string;
  shape?: AvatarShape;
  size?: number;
  online?: boolean;
}) {
  return (
    <span
      className={css.avatar}
      data-shape={shape}
      data-hue={shape === "self" ? "self" : hueOf(id)}
      style={{ width: size, height: size, fontSize: Math.round(size * 0.38) }}
      aria-hidden="true"
    >
      {shape === "self" ? <Bookmark size={Math.round(size * 0.46)} /> : initials(name)}
      {online && <span className={css.online} />}
    </span>
  );
});

function Bookmark({ size }: { size: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" fill="currentColor" aria-hidden="true">
      <path d="M7 3h10a2 2 0 0 1 2 2v15.2a.8.8 0 0 1-1.25.660L12 16.9l-5.75 3.96A.8.8 0 0 1 5 20.2V5a2 2 0 0 1 2-2Z" />
    </svg>
  );
}
