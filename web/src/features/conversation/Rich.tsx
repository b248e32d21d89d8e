import { Fragment, type ReactNode } from "react";
import type { Block, Span } from "../../core/api.gen.ts";
import css from "./Rich.module.css";

// Rich shows parsed Markdown as elements. end stands behind the last word, on
// its line where there is room.
export function Rich({ blocks, end }: { blocks: readonly Block[]; end?: ReactNode }) {
  const last = blocks.at(-1);
  const inside = last?.kind === "paragraph";
  return (
    <div className={css.rich}>
      {blocks.map((b, n) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a message's blocks never move
        <Piece key={n} block={b} end={inside && n === blocks.length - 1 ? end : undefined} />
      ))}
      {!inside && end}
    </div>
  );
}

function Piece({ block, end }: { block: Block; end: ReactNode }) {
  switch (block.kind) {
    case "quote":
      return (
        <blockquote>
          <Spans of={block.spans} />
        </blockquote>
      );
    case "code":
      return (
        <pre data-lang={block.lang || undefined}>
          <code>{(block.spans ?? []).map(plain).join("")}</code>
        </pre>
      );
    case "list":
    case "ordered": {
      const List = block.kind === "list" ? "ul" : "ol";
      return (
        <List>
          {(block.items ?? []).map((spans, n) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: as above
            <li key={n}>
              <Spans of={spans} />
            </li>
          ))}
        </List>
      );
    }
    default:
      return (
        <p>
          <Spans of={block.spans} />
          {end}
        </p>
      );
  }
}

function Spans({ of }: { of: readonly Span[] | undefined }) {
  // biome-ignore lint/suspicious/noArrayIndexKey: as above
  return (of ?? []).map((s, n) => <Fragment key={n}>{one(s)}</Fragment>);
}

const safe = /^(https?|mailto):/i;

function one(span: Span): ReactNode {
  const inner = span.spans?.length ? <Spans of={span.spans} /> : span.text;
  switch (span.kind) {
    case "bold":
      return <strong>{inner}</strong>;
    case "italic":
      return <em>{inner}</em>;
    case "strike":
      return <s>{inner}</s>;
    case "code":
      return <code>{inner}</code>;
    case "mention":
      return <span className={css.mention}>{inner}</span>;
    case "break":
      return <br />;
    case "link":
      if (!span.href || !safe.test(span.href)) return inner;
      return (
        <a href={span.href} title={span.href} target="_blank" rel="noopener noreferrer">
          {inner || span.href}
        </a>
      );
    default:
      return inner;
  }
}

function plain(span: Span): string {
  return span.kind === "break" ? "\n" : (span.text ?? (span.spans ?? []).map(plain).join(""));
}

// asWritten makes blocks of text that the core has not parsed yet.
export function asWritten(text: string): readonly Block[] {
  const spans = text
    .split("\n")
    .flatMap((line, n): Span[] =>
      n === 0 ? [{ kind: "text", text: line }] : [{ kind: "break" }, { kind: "text", text: line }],
    );
  return [{ kind: "paragraph", spans }];
}

// isEmojiOnly says whether a text is one to three emoji and nothing else.
export function isEmojiOnly(text: string): boolean {
  const s = text.replace(/\s/gu, "");
  if (s.length === 0 || s.length > 40 || /[\p{L}\p{N}]/u.test(s)) return false;
  const parts = [...new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(s)];
  return (
    parts.length <= 3 && parts.every(({ segment }) => /\p{Extended_Pictographic}|\p{Regional_Indicator}/u.test(segment))
  );
}
