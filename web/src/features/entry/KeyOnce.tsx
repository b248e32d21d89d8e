import { Download } from "lucide-react";
import { useState } from "react";
import { useText } from "../../i18n/text.ts";
import { Button } from "../../ui/Button.tsx";
import { Code, CopyButton } from "../../ui/Code.tsx";
import { Check } from "../../ui/Field.tsx";
import { saveText } from "../../ui/saveText.ts";
import { Card } from "./Card.tsx";
import css from "./Entry.module.css";

// KeyOnce shows the recovery key of a new account. There is no way on but by
// saying that it is kept.
export function KeyOnce({
  recoveryKey,
  name,
  org,
  onKept,
}: {
  recoveryKey: string;
  name: string;
  org: string;
  onKept: () => void;
}) {
  const t = useText();
  const [kept, setKept] = useState(false);
  return (
    <Card title={t("key.title")} lead={t("key.lead")}>
      <Code value={recoveryKey} label={t("key.label")} />
      <div className={css.pair}>
        <CopyButton text={recoveryKey} label={t("key.copy")} />
        <Button
          onClick={() => saveText(`${t("key.fileName")}.txt`, t("key.fileText", { name, org, key: recoveryKey }))}
        >
          <Download size={18} />
          {t("key.download")}
        </Button>
      </div>
      <p className={css.aside}>{t("key.once")}</p>
      <Check label={t("key.kept")} checked={kept} onChange={setKept} />
      <Button look="main" wide disabled={!kept} onClick={onKept}>
        {t("key.go")}
      </Button>
    </Card>
  );
}
