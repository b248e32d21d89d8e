import { createRoot } from "react-dom/client";
import { connectCore } from "../core/tabs.ts";
import { Model } from "../model/model.ts";
import "../ui/tokens.css";
import "../ui/base.css";
import { App } from "./App.tsx";
import { Choices } from "./choices.ts";

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
const model = new Model(connectCore());
model.start();
createRoot(root).render(<App model={model} choices={new Choices()} />);
