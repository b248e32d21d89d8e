import { EmojiPicker, type EmojiPickerListComponents } from "frimousse";
import { Dialog } from "react-aria-components/Dialog";
import { useText } from "../../i18n/text.ts";
import css from "./Emoji.module.css";

// counted makes a grid's rows and columns count from 1, as they must; the
// picker counts them from 0.
function counted<K extends "aria-rowindex" | "aria-colindex">(props: { [N in K]?: number | undefined }, key: K) {
  return { [key]: (props[key] ?? 0) + 1 };
}

const components: EmojiPickerListComponents = {
  CategoryHeader: ({ category, ...props }) => (
    <div {...props} className={css.category}>
      {category.label}
    </div>
  ),
  Row: ({ children, ...props }) => (
    <div {...props} {...counted(props, "aria-rowindex")} className={css.row}>
      {children}
    </div>
  ),
  Emoji: ({ emoji, ...props }) => (
    <button
      type="button"
      {...props}
      {...counted(props, "aria-colindex")}
      className={css.emoji}
      data-active={emoji.isActive || undefined}
    >
      {emoji.emoji}
    </button>
  ),
};

// Emoji is the picker. Its names come from our own origin. Lazily loaded, hence
// the default export.
// biome-ignore lint/style/noDefaultExport: React.lazy asks for it
export default function Emoji({ onPick, onDone }: { onPick: (emoji: string) => void; onDone: () => void }) {
  const t = useText();
  return (
    <Dialog aria-label={t("write.emoji")} className={css.dialog ?? ""}>
      <EmojiPicker.Root
        className={css.root ?? ""}
        locale={t.language}
        emojibaseUrl="/emoji"
        columns={8}
        onEmojiSelect={({ emoji }) => {
          onPick(emoji);
          onDone();
        }}
      >
        <EmojiPicker.Search
          className={css.search ?? ""}
          placeholder={t("write.emojiSearch")}
          aria-label={t("write.emojiSearch")}
          autoFocus
        />
        <EmojiPicker.Viewport className={css.view ?? ""}>
          <EmojiPicker.Loading className={css.none ?? ""}>{t("write.emojiLoading")}</EmojiPicker.Loading>
          <EmojiPicker.Empty className={css.none ?? ""}>{t("write.emojiNone")}</EmojiPicker.Empty>
          <EmojiPicker.List className={css.list ?? ""} components={components} />
        </EmojiPicker.Viewport>
      </EmojiPicker.Root>
    </Dialog>
  );
}
