// Tones are made here, so that no sound file is kept: a bell that calls, the
// tone that one waits by, and short marks of who comes and goes.

type Note = readonly [hertz: number, at: number, seconds: number, loudness: number];

// The bell: a struck note and the partials that make it a bell.
const bell = (hertz: number, at: number, loudness: number): Note[] => [
  [hertz, at, 1.6, loudness],
  [hertz * 2.01, at, 0.9, loudness * 0.45],
  [hertz * 2.99, at, 0.5, loudness * 0.22],
];

const tunes = {
  ring: { notes: [...bell(523, 0, 0.3), ...bell(659, 0.28, 0.3), ...bell(784, 0.56, 0.3)], every: 2.6 },
  wait: { notes: [[425, 0, 1, 0.12]] as Note[], every: 4 },
  join: { notes: [...bell(659, 0, 0.1), ...bell(880, 0.12, 0.1)], every: 0 },
  leave: { notes: [...bell(659, 0, 0.1), ...bell(494, 0.12, 0.1)], every: 0 },
  over: {
    notes: [
      [425, 0, 0.25, 0.12],
      [425, 0.4, 0.25, 0.12],
      [425, 0.8, 0.25, 0.12],
    ] as Note[],
    every: 0,
  },
  hand: { notes: bell(988, 0, 0.08), every: 0 },
} as const;

export type Tune = keyof typeof tunes;

/** sound plays a tune, again and again if it is one that lasts, until the returned function is called. */
export function sound(tune: Tune): () => void {
  if (typeof AudioContext !== "function") return () => {};
  const context = new AudioContext();
  const { notes, every } = tunes[tune];
  const strike = () => {
    for (const note of notes) play(context, note);
  };
  // A browser that wants to be touched first stays silent; the screen rings all the same.
  void context.resume().catch(() => {});
  strike();
  const stop = () => {
    clearInterval(again);
    void context.close().catch(() => {});
  };
  const again = every > 0 ? setInterval(strike, every * 1000) : setTimeout(() => stop(), 3000);
  return stop;
}

function play(context: AudioContext, [hertz, at, seconds, loudness]: Note): void {
  const start = context.currentTime + at;
  const tone = context.createOscillator();
  const gain = context.createGain();
  tone.frequency.value = hertz;
  gain.gain.setValueAtTime(0, start);
  gain.gain.linearRampToValueAtTime(loudness, start + 0.015);
  gain.gain.exponentialRampToValueAtTime(0.0008, start + seconds);
  tone.connect(gain).connect(context.destination);
  tone.start(start);
  tone.stop(start + seconds + 0.05);
}
