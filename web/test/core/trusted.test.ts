import { afterEach, beforeEach, expect, test, vi } from "vitest";

type Rules = { createScriptURL: (url: string) => string };
const made: string[] = [];

beforeEach(() => {
  vi.resetModules();
  made.length = 0;
  vi.stubGlobal("location", new URL("https://veche.example:8443/"));
  vi.stubGlobal("trustedTypes", {
    createPolicy: (name: string, rules: Rules) => {
      made.push(name);
      return rules;
    },
  });
});
afterEach(() => vi.unstubAllGlobals());

test("scripts of the site pass, whole or by their path, under one policy", async () => {
  const { scriptURL } = await import("../../src/core/tabs/trusted.ts");
  expect(scriptURL("/assets/worker.js")).toBe("https://veche.example:8443/assets/worker.js");
  expect(scriptURL("https://veche.example:8443/shell.js")).toBe("https://veche.example:8443/shell.js");
  expect(made).toEqual(["veche"]);
});

test.each([
  "https://evil.example/worker.js",
  "//evil.example/worker.js",
  "https://veche.example/worker.js", // another port is another origin
  "http://veche.example:8443/worker.js",
  "data:text/javascript,alert(1)",
  "blob:https://veche.example:8443/1",
  "javascript:alert(1)",
])("%s does not", async (url) => {
  const { scriptURL } = await import("../../src/core/tabs/trusted.ts");
  expect(() => scriptURL(url)).toThrow(TypeError);
  vi.stubGlobal("trustedTypes", undefined); // nor in a browser without Trusted Types
  expect(() => scriptURL(url)).toThrow(TypeError);
});
