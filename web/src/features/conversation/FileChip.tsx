import { Download, File as FileIcon, X } from "lucide-react";
import type { File, Item } from "../../core/api.gen.ts";
import { size } from "../../i18n/format.ts";
import { useText } from "../../i18n/text.ts";
import { Ring } from "../../ui/Ring.tsx";
import type { Deeds } from "./deeds.tsx";
import css from "./FileChip.module.css";

// FileChip is a file that is neither picture nor film: name, size, save.
export function FileChip({
  item,
  file,
  index,
  deeds,
  tab,
}: {
  item: Item;
  file: File;
  index: number;
  deeds: Deeds;
  tab: 0 | -1;
}) {
  const t = useText();
  const { transfer } = file;
  const going = transfer !== undefined && transfer.done < transfer.total;
  const up = item.mine && item.seq === 0;
  const words = (
    <span className={css.words}>
      <strong>{file.name}</strong>
      <small>{going && transfer ? `${size(t, transfer.done)} / ${size(t, transfer.total)}` : size(t, file.size)}</small>
    </span>
  );
  if (going) {
    return (
      <div className={css.chip} data-chip="">
        <button
          type="button"
          className={css.icon}
          tabIndex={tab}
          aria-label={t("file.cancel", { name: file.name })}
          onClick={() => deeds.cancel(item, index)}
        >
          <Ring
            share={transfer.done / transfer.total}
            size={44}
            label={t(up ? "file.uploading" : "file.fetching", { name: file.name })}
          />
          <X size={18} aria-hidden="true" />
        </button>
        {words}
      </div>
    );
  }
  return (
    <button
      type="button"
      className={css.chip}
      data-chip=""
      tabIndex={tab}
      title={t("file.save", { name: file.name, size: size(t, file.size) })}
      disabled={up}
      onClick={() => deeds.save(item, index)}
    >
      <span className={css.icon}>
        {up ? <FileIcon size={20} aria-hidden="true" /> : <Download size={20} aria-hidden="true" />}
      </span>
      {words}
    </button>
  );
}
