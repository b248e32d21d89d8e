import { useEffect, useRef, useState } from "react";
import { thumbHashToRGBA } from "thumbhash";
import { decoded, previewBlob } from "./preview.ts";
import css from "./Small.module.css";

// Small is the picture that came inside the message: there at once, before the
// file itself is fetched. Without one it is the blur of colours of a thumbhash.
export function Small({ file }: { file: { preview?: string; prevType?: string; thumb?: string; name: string } }) {
  const { preview, prevType, thumb } = file;
  const [url, setUrl] = useState<string>();
  useEffect(() => {
    const blob = previewBlob(preview, prevType);
    if (!blob) return;
    const made = URL.createObjectURL(blob);
    setUrl(made);
    return () => {
      URL.revokeObjectURL(made);
      setUrl(undefined);
    };
  }, [preview, prevType]);
  if (url) return <img className={css.small} src={url} alt="" draggable={false} />;
  return thumb ? <Blur thumb={thumb} /> : <span className={css.small} />;
}

function Blur({ thumb }: { thumb: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const hash = decoded(thumb);
    const el = canvas.current;
    if (!hash || hash.length < 5 || hash.length > 40 || !el) return;
    const { w, h, rgba } = thumbHashToRGBA(hash);
    el.width = w;
    el.height = h;
    el.getContext("2d")?.putImageData(new ImageData(new Uint8ClampedArray(rgba), w, h), 0, 0);
  }, [thumb]);
  return <canvas ref={canvas} className={css.small} />;
}
