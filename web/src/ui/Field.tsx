import { type InputHTMLAttributes, type ReactNode, type Ref, useId } from "react";
import css from "./Field.module.css";

// Field is one line of text with its label, a hint, and what is wrong with it.
export function Field({
  label,
  hint,
  error,
  end,
  ref,
  mono = false,
  ...input
}: Omit<InputHTMLAttributes<HTMLInputElement>, "className" | "id"> & {
  label: string;
  hint?: string | undefined;
  error?: string | undefined;
  end?: ReactNode;
  mono?: boolean;
  ref?: Ref<HTMLInputElement>;
}) {
  const id = useId();
  const said = error ?? hint;
  return (
    <div className={css.field} data-bad={error ? true : undefined}>
      <label htmlFor={id}>{label}</label>
      <span className={css.box}>
        <input
          {...input}
          ref={ref}
          id={id}
          data-mono={mono || undefined}
          aria-invalid={error ? true : undefined}
          aria-describedby={said ? `${id}-said` : undefined}
        />
        {end}
      </span>
      {said && (
        <small id={`${id}-said`} role={error ? "alert" : undefined}>
          {said}
        </small>
      )}
    </div>
  );
}

// Check is a box to tick, with words and perhaps a hint.
export function Check({
  label,
  hint,
  checked,
  onChange,
}: {
  label: string;
  hint?: string;
  checked: boolean;
  onChange: (checked: boolean) => void;
}) {
  return (
    <label className={css.check}>
      <input type="checkbox" checked={checked} onChange={(e) => onChange(e.target.checked)} />
      <span>
        {label}
        {hint && <small>{hint}</small>}
      </span>
    </label>
  );
}

// Choice is one of a few, all in sight.
export function Choice<T extends string>({
  label,
  value,
  options,
  onChange,
}: {
  label: string;
  value: T;
  options: readonly { readonly value: T; readonly label: string }[];
  onChange: (value: T) => void;
}) {
  const name = useId();
  return (
    <fieldset className={css.choice}>
      <legend>{label}</legend>
      <div>
        {options.map((o) => (
          <label key={o.value}>
            <input type="radio" name={name} checked={o.value === value} onChange={() => onChange(o.value)} />
            <span>{o.label}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
