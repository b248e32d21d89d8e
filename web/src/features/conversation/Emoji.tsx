import { EmojiPicker, type EmojiPickerListComponents } from "frimousse";
import { Dialog } from "react-aria-components/Dialog";
import { useText } from "../../i18n/text.ts";
import css from "./Emoji.module.css";

const components: EmojiPickerListComponents = {
  CategoryHeader: ({ category, ...props }) => (
    <div {...props} className={css.category}>
      {category.label}
    </div>
  ),
  Row: ({ children, ...props }) => (
    <div {...props} className={css.row}>
      {children}
    </div>
  ),
  Emoji: ({ emoji, ...props }) => (
    <button type="button" {...props} className={css.emoji} data-active={emoji.isActive || undefined}>
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
