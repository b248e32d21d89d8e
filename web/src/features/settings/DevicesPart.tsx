import { Laptop, Smartphone } from "lucide-react";
import { useEffect, useState } from "react";
import type { Device } from "../../core/api.gen.ts";
import { ago } from "../../i18n/format.ts";
import { useText } from "../../i18n/text.ts";
import type { Devices } from "../../model/devices.ts";
import { useSnapshot } from "../../model/useSnapshot.ts";
import { Button } from "../../ui/Button.tsx";
import { Confirm } from "../../ui/Dialog.tsx";
import { PendingDevice } from "../../ui/PendingDevice.tsx";
import css from "./Settings.module.css";

// DevicesPart lists the person's installations: those that wait first.
export function DevicesPart({ devices }: { devices: Devices }) {
  const t = useText();
  const list = useSnapshot(devices.list) ?? [];
  const [rejected, setRejected] = useState(false);
  const [removing, setRemoving] = useState<Device>();
  useEffect(() => void devices.refresh(), [devices]);
  const pending = list.filter((d) => d.state === "pending");
  const mine = list.filter((d) => d.this);
  const others = list.filter((d) => !d.this && d.state === "active");
  const say = async (doing: ReturnType<Devices["approve"]>) => {
    const got = await doing;
    return got.ok ? undefined : t(`fail.${got.failure.code}`);
  };
  return (
    <div className={css.stack}>
      <p className={css.lead}>{t("devices.lead")}</p>
      {pending.map((d) => (
        <PendingDevice
          key={d.id}
          name={d.name}
          code={d.code ?? ""}
          allow={() => say(devices.approve(d.id))}
          reject={async () => {
            const wrong = await say(devices.reject(d.id));
            setRejected(!wrong);
            return wrong;
          }}
        />
      ))}
      {rejected && (
        <p className={css.warning} role="alert">
          {t("devices.rejected")}
        </p>
      )}
      <Group title={t("devices.this")} devices={mine} />
      <Group title={t("devices.others")} devices={others} onRemove={setRemoving} none={t("devices.none")} />
      {removing && (
        <Confirm
          title={t("devices.removeTitle", { name: removing.name })}
          action={t("devices.remove")}
          onClose={() => setRemoving(undefined)}
          act={() => say(devices.revoke(removing.id))}
        >
          <p>{t("devices.removeLead")}</p>
        </Confirm>
      )}
    </div>
  );
}

function Group({
  title,
  devices,
  onRemove,
  none,
}: {
  title: string;
  devices: readonly Device[];
  onRemove?: (device: Device) => void;
  none?: string;
}) {
  const t = useText();
  return (
    <div className={css.group}>
      <h4>{title}</h4>
      {devices.length === 0 && <p className={css.lead}>{none}</p>}
      <ul>
        {devices.map((d) => (
          <li key={d.id} className={css.device}>
            {/iOS|Android/.test(d.name) ? (
              <Smartphone size={24} aria-hidden="true" />
            ) : (
              <Laptop size={24} aria-hidden="true" />
            )}
            <span>
              <strong>{d.name}</strong>
              <small data-live={d.online || d.this || undefined}>
                {[
                  d.online || d.this
                    ? t("devices.online")
                    : d.seen > 0
                      ? t("devices.seen", { when: ago(t, d.seen) })
                      : "",
                  d.created > 0 ? t("devices.added", { when: ago(t, d.created) }) : "",
                ]
                  .filter(Boolean)
                  .join(" · ")}
              </small>
            </span>
            {onRemove && (
              <Button look="badQuiet" onClick={() => onRemove(d)}>
                {t("devices.remove")}
              </Button>
            )}
          </li>
        ))}
      </ul>
    </div>
  );
}
