import { createRoot } from "react-dom/client";
import { App } from "../src/app/App.tsx";
import { Choices } from "../src/app/choices.ts";
import { Model } from "../src/model/model.ts";
import "../src/ui/tokens.css";
import "../src/ui/base.css";
import { FakeCore } from "./fake.ts";
import { demoParts } from "./media.ts";
import type { Scene } from "./scene.ts";

// index.html?screen=SCENE&theme=light|dark&language=en|ru
const wanted = new URLSearchParams(location.search);
for (const key of ["theme", "language"]) {
  const value = wanted.get(key);
  if (value) localStorage.setItem(`veche.${key}`, value);
}
const scene = (wanted.get("screen") ?? "main") as Scene;
const choices = new Choices();
if (scene === "setup" || scene === "join") history.replaceState(null, "", `/${scene}#DEMO`);
if (scene.startsWith("reset")) history.replaceState(null, "", "/reset#DEMO");
const core = new FakeCore(scene, document.documentElement.lang === "ru" ? "ru" : "en");
const model = new Model(core, () => demoParts(scene !== "unsealed"));
model.start();
Object.assign(globalThis, { demo: { core, model } });
const root = document.getElementById("root");
if (root) createRoot(root).render(<App model={model} choices={choices} />);
