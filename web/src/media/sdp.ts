// What cannot be asked of a peer connection but by its session descriptions.

/** OpusWishes says how our own sound is encoded. */
export interface OpusWishes {
  readonly dtx: boolean; // send nothing during silence
  readonly bitrate: number; // bit/s
  readonly stereo: boolean;
}

/**
 * withOpus writes how the sound of m-line n is to be encoded into an answer,
 * from where an encoder takes it. The rate is constant, because sizes that
 * change tell what is said.
 */
export function withOpus(answer: string, n: number, { dtx, bitrate, stereo }: OpusWishes): string {
  const sections = answer.split(/(?=^m=)/m);
  const section = sections[n + 1];
  const payload = section?.match(/^a=rtpmap:(\d+) opus\/48000/im)?.[1];
  if (section === undefined || !payload) return answer;
  const wishes: readonly string[] = [
    "minptime=10",
    "useinbandfec=1",
    "cbr=1",
    `usedtx=${dtx ? 1 : 0}`,
    `maxaveragebitrate=${bitrate}`,
    ...(stereo ? ["stereo=1", "sprop-stereo=1"] : []),
  ];
  const line = `a=fmtp:${payload} ${wishes.join(";")}\r\n`;
  const without = section.replace(new RegExp(`^a=fmtp:${payload} .*\\r?\\n`, "m"), "");
  sections[n + 1] = without.replace(new RegExp(`^(a=rtpmap:${payload} .*\\r?\\n)`, "m"), `$1${line}`);
  return sections.join("");
}

/** onlyCandidates leaves those candidates of a description that are wanted. */
export function onlyCandidates(sdp: string, wanted: (protocol: string) => boolean): string {
  return sdp.replace(/^a=candidate:\S+ \d+ (\S+) .*\r?\n/gm, (line, protocol: string) =>
    wanted(protocol.toLowerCase()) ? line : "",
  );
}
