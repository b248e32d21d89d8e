// What a hostile member may put into a message, and what becomes of it here.
import { renderToStaticMarkup } from "react-dom/server";
import { describe, expect, test } from "vitest";
import type { Span } from "../src/core/api.gen.ts";
import { isEmojiOnly, Rich } from "../src/features/conversation/Rich.tsx";
import { previewBlob } from "../src/ui/preview.ts";

const html = (...spans: Span[]) => renderToStaticMarkup(<Rich blocks={[{ kind: "paragraph", spans }]} />);
const link = (href: string): Span => ({ kind: "link", href, spans: [{ kind: "text", text: "click" }] });

describe("text", () => {
  test("links to scripts and data are words, not links", () => {
    for (const href of [
      "javascript:alert(1)",
      " javascript:alert(1)",
      "JAVASCRIPT:x",
      "data:text/html,x",
      "blob:x",
      "vbscript:x",
      "",
    ]) {
      expect(html(link(href)), href).not.toContain("<a");
      expect(html(link(href)), href).toContain("click");
    }
  });
  test("links go where they say, and tell the other site nothing", () => {
    const made = html(link("https://example.org/"));
    expect(made).toContain('href="https://example.org/"');
    expect(made).toContain('rel="noopener noreferrer"');
    expect(made).toContain('title="https://example.org/"');
  });
  test("HTML is text, in every kind of span and block", () => {
    const evil = "<img src=x onerror=alert(1)>";
    for (const kind of ["text", "bold", "italic", "strike", "code", "mention", "unheard-of"]) {
      expect(html({ kind, text: evil }), kind).not.toContain("<img");
    }
    for (const kind of ["quote", "code", "list", "ordered", "unheard-of"]) {
      const spans: Span[] = [{ kind: "text", text: evil }];
      expect(renderToStaticMarkup(<Rich blocks={[{ kind, spans, items: [spans], lang: evil }]} />), kind).not.toContain(
        "<img",
      );
    }
  });
});

describe("previews", () => {
  const bytes = btoa("<svg onload=alert(1)>");
  test("only photographs' types are made into pictures", () => {
    expect(previewBlob(bytes, "image/webp")?.type).toBe("image/webp");
    for (const type of ["image/svg+xml", "text/html", "IMAGE/SVG+XML", "", undefined]) {
      expect(previewBlob(bytes, type)).toBeUndefined();
    }
  });
  test("what is no base64 or too much of it is left out", () => {
    expect(previewBlob("%%%", "image/webp")).toBeUndefined();
    expect(previewBlob(btoa("x".repeat(20_000)), "image/webp")).toBeUndefined();
  });
});

test("only a few emoji alone are shown large", () => {
  for (const s of ["👍", "❤️ 🎉", "👩‍👩‍👧", "🇷🇺"]) expect(isEmojiOnly(s), s).toBe(true);
  for (const s of ["", "ok 👍", "👍👍👍👍", "1", "...", "👍".repeat(50)]) expect(isEmojiOnly(s), s).toBe(false);
});
