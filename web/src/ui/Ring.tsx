import css from "./Ring.module.css";

// Ring is progress as a ring; without a share it turns.
export function Ring({ share, size = 44, label }: { share?: number; size?: number; label: string }) {
  const r = 16;
  const around = 2 * Math.PI * r;
  const known = share !== undefined && Number.isFinite(share);
  const part = known ? Math.min(1, Math.max(0.03, share)) : 0.25;
  return (
    <span
      className={css.ring}
      data-turns={!known || undefined}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      {...(known ? { "aria-valuenow": Math.round(share * 100) } : {})}
    >
      <svg width={size} height={size} viewBox="0 0 40 40" aria-hidden="true">
        <circle cx="20" cy="20" r={r} strokeDasharray={`${part * around} ${around}`} />
      </svg>
    </span>
  );
}
