import type { ButtonHTMLAttributes, ReactNode, Ref } from "react";
import css from "./Button.module.css";

type Native = Omit<ButtonHTMLAttributes<HTMLButtonElement>, "className" | "aria-label" | "title">;

// Button is a button with words on it.
export function Button({
  look = "plain",
  busy = false,
  wide = false,
  children,
  ref,
  disabled,
  ...rest
}: Native & {
  look?: "plain" | "main" | "bad" | "quiet" | "badQuiet";
  busy?: boolean;
  wide?: boolean;
  children: ReactNode;
  ref?: Ref<HTMLButtonElement>;
}) {
  return (
    <button
      type="button"
      {...rest}
      ref={ref}
      className={css.button}
      data-look={look}
      data-wide={wide || undefined}
      aria-busy={busy || undefined}
      disabled={disabled || busy}
    >
      {children}
    </button>
  );
}

// IconButton is a button with a picture on it; label says what it does.
export function IconButton({
  label,
  look = "plain",
  size = 40,
  children,
  ref,
  ...rest
}: Native & {
  label: string;
  look?: "plain" | "main" | "veil";
  size?: number;
  children: ReactNode;
  ref?: Ref<HTMLButtonElement>;
}) {
  return (
    <button
      type="button"
      {...rest}
      ref={ref}
      className={css.icon}
      data-look={look}
      style={{ width: size, height: size }}
      aria-label={label}
      title={label}
    >
      {children}
    </button>
  );
}
