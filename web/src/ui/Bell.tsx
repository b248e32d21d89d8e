// Bell is the mark of Veche: the bell that called the assembly together.
export function Bell({ size = 24 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="12 10 40 46" fill="currentColor" aria-hidden="true">
      <rect x="17" y="11.5" width="30" height="4.6" rx="2.3" />
      <path d="M32 18.4c-8 0-12.3 5.2-12.7 12.8-.4 7.2-1.7 10.6-5.1 14.3a1.55 1.55 0 0 0 1.15 2.6h33.3a1.55 1.55 0 0 0 1.15-2.6c-3.4-3.7-4.7-7.1-5.1-14.3C44.3 23.6 40 18.4 32 18.4Z" />
      <path d="M26.9 50.6a5.15 5.15 0 0 0 10.2 0Z" />
    </svg>
  );
}
