import type { Block, Span } from "../src/core/api.gen.ts";

// parse knows just the Markdown that the made-up people use. The real one is in
// the core.
export function parse(text: string): readonly Block[] {
  return text.split("\n\n").map((part): Block => {
    const lines = part.split("\n");
    if (lines.every((l) => /^\d+\. /.test(l))) {
      return { kind: "ordered", items: lines.map((l) => spans(l.replace(/^\d+\. /, ""))) };
    }
    return { kind: "paragraph", spans: lines.flatMap((l, n) => (n ? [{ kind: "break" }, ...spans(l)] : spans(l))) };
  });
}

function spans(line: string): Span[] {
  return line
    .split(/(\*\*[^*]+\*\*|`[^`]+`|\[[^\]]+\]\([^)]+\))/)
    .filter(Boolean)
    .map((s): Span => {
      const link = /^\[([^\]]+)\]\(([^)]+)\)$/.exec(s);
      if (link) return { kind: "link", href: link[2] ?? "", spans: [{ kind: "text", text: link[1] ?? "" }] };
      if (s.startsWith("**")) return { kind: "bold", spans: [{ kind: "text", text: s.slice(2, -2) }] };
      if (s.startsWith("`")) return { kind: "code", text: s.slice(1, -1) };
      return { kind: "text", text: s };
    });
}
