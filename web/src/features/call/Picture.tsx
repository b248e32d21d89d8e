import { type Ref, useEffect, useRef } from "react";

// Picture shows a moving picture. It is decoration to who hears: the tile
// around it says whose it is.
export function Picture({
  track,
  mirrored = false,
  whole = false,
  ref,
}: {
  track: MediaStreamTrack;
  mirrored?: boolean;
  whole?: boolean; // nothing is cut off
  ref?: Ref<HTMLVideoElement>;
}) {
  const own = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    const video = own.current;
    if (!video) return;
    video.srcObject = new MediaStream([track]);
    void video.play().catch(() => {}); // muted pictures may always play; a page that is closing may not
    return () => {
      video.srcObject = null;
    };
  }, [track]);
  return (
    <video
      ref={(v) => {
        own.current = v;
        if (typeof ref === "function") ref(v);
        else if (ref) ref.current = v;
      }}
      data-mirrored={mirrored || undefined}
      data-whole={whole || undefined}
      muted
      playsInline
      autoPlay
      aria-hidden="true"
      tabIndex={-1}
    />
  );
}
