// Pictures for the made-up core, drawn here: no photograph is kept in the project.

type Scene = "lake" | "hall" | "plan" | "dusk";

// draw paints a small scene and gives it as a blob.
export async function draw(scene: Scene, w: number, h: number): Promise<Blob> {
  const canvas = document.createElement("canvas");
  canvas.width = w;
  canvas.height = h;
  const c = canvas.getContext("2d");
  if (!c) throw new Error("no canvas");
  const sky = c.createLinearGradient(0, 0, 0, h);
  const tones: Record<Scene, [string, string, string]> = {
    lake: ["#bcd7e6", "#f3e6cf", "#3e6b72"],
    hall: ["#e9dfcc", "#c9b491", "#6d5236"],
    plan: ["#f7f7f3", "#eef0ea", "#35625c"],
    dusk: ["#2f3f66", "#e39a6b", "#1c2a3c"],
  };
  const [top, bottom, dark] = tones[scene];
  sky.addColorStop(0, top);
  sky.addColorStop(1, bottom);
  c.fillStyle = sky;
  c.fillRect(0, 0, w, h);
  if (scene === "plan") plan(c, w, h, dark);
  else if (scene === "hall") hall(c, w, h, dark);
  else hills(c, w, h, dark, scene === "dusk");
  return new Promise((resolve, reject) =>
    canvas.toBlob((b) => (b ? resolve(b) : reject(new Error("no blob"))), "image/webp", 0.85),
  );
}

function hills(c: CanvasRenderingContext2D, w: number, h: number, dark: string, sun: boolean): void {
  if (sun) {
    c.fillStyle = "#f6d9a0";
    c.beginPath();
    c.arc(w * 0.68, h * 0.52, h * 0.1, 0, 7);
    c.fill();
  }
  for (let layer = 0; layer < 4; layer++) {
    c.globalAlpha = 0.28 + layer * 0.2;
    c.fillStyle = dark;
    c.beginPath();
    c.moveTo(0, h);
    for (let x = 0; x <= w; x += w / 40) {
      const y =
        h * (0.5 + layer * 0.11) -
        Math.sin((x / w) * (5 + layer * 2.3) + layer * 1.7) * h * 0.055 -
        Math.sin((x / w) * 17 + layer) * h * 0.012;
      c.lineTo(x, y);
    }
    c.lineTo(w, h);
    c.fill();
  }
  c.globalAlpha = 1;
}

function hall(c: CanvasRenderingContext2D, w: number, h: number, dark: string): void {
  c.fillStyle = dark;
  for (let n = 0; n < 6; n++) {
    const x = w * (0.06 + n * 0.16);
    c.globalAlpha = 0.5 + (n % 2) * 0.2;
    c.fillRect(x, h * 0.22, w * 0.035, h * 0.6);
    c.beginPath();
    c.arc(x + w * 0.098, h * 0.3, w * 0.063, Math.PI, 0);
    c.lineWidth = w * 0.012;
    c.strokeStyle = dark;
    c.stroke();
  }
  c.globalAlpha = 0.85;
  c.fillRect(0, h * 0.82, w, h * 0.18);
  c.globalAlpha = 1;
}

function plan(c: CanvasRenderingContext2D, w: number, h: number, dark: string): void {
  c.strokeStyle = dark;
  c.lineWidth = Math.max(2, w / 260);
  c.strokeRect(w * 0.1, h * 0.12, w * 0.8, h * 0.76);
  for (const [x, y, a, b] of [
    [0.1, 0.5, 0.46, 0.5],
    [0.56, 0.5, 0.9, 0.5],
    [0.46, 0.12, 0.46, 0.4],
    [0.7, 0.5, 0.7, 0.88],
    [0.3, 0.6, 0.3, 0.88],
  ] as const) {
    c.beginPath();
    c.moveTo(w * x, h * y);
    c.lineTo(w * a, h * b);
    c.stroke();
  }
  c.fillStyle = dark;
  c.globalAlpha = 0.12;
  c.fillRect(w * 0.1, h * 0.5, w * 0.2, h * 0.38);
  c.globalAlpha = 1;
}

// film records a moving picture, so that there is something to play.
export async function film(w: number, h: number, ms: number): Promise<Blob> {
  const canvas = document.createElement("canvas");
  canvas.width = w;
  canvas.height = h;
  const c = canvas.getContext("2d");
  if (!c) throw new Error("no canvas");
  const recorder = new MediaRecorder(canvas.captureStream(12), { mimeType: "video/webm" });
  const parts: Blob[] = [];
  recorder.ondataavailable = (e) => parts.push(e.data);
  const stopped = new Promise((resolve) => {
    recorder.onstop = resolve;
  });
  recorder.start();
  const began = performance.now();
  await new Promise<void>((resolve) => {
    const step = () => {
      const at = (performance.now() - began) / ms;
      c.fillStyle = "#20403c";
      c.fillRect(0, 0, w, h);
      c.fillStyle = "#e7b37a";
      c.beginPath();
      c.arc(w * at, h / 2 + Math.sin(at * 9) * h * 0.2, h * 0.1, 0, 7);
      c.fill();
      if (at < 1) setTimeout(step, 80);
      else resolve();
    };
    step();
  });
  recorder.stop();
  await stopped;
  return new Blob(parts, { type: "video/webm" });
}
