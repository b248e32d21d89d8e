import type { Device, DeviceID, Notice } from "../core/api.gen.ts";
import type { Core, Result } from "../core/core.ts";
import { Store } from "./store.ts";

// Devices is the list of the person's own installations.
export class Devices {
  readonly list = new Store<readonly Device[] | undefined>(undefined);
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
    core.on("devices", ({ devices }) => this.list.set(devices));
  }

  async refresh(): Promise<void> {
    const got = await this.#core.call("devices", {});
    if (got.ok) this.list.set(got.value.devices);
  }

  approve(device: DeviceID): Promise<Result<object>> {
    return this.#do("approveDevice", device);
  }

  reject(device: DeviceID): Promise<Result<object>> {
    return this.#do("rejectDevice", device);
  }

  revoke(device: DeviceID): Promise<Result<object>> {
    return this.#do("revokeDevice", device);
  }

  // revokeOthers leaves this device alone in the account. Where one cannot be
  // removed the others stay as they are, and the reason is the answer.
  async revokeOthers(): Promise<Result<object>> {
    const others = (this.list.snapshot() ?? []).filter((d) => !d.this && d.state === "active");
    for (const { id } of others) {
      const done = await this.#core.call("revokeDevice", { device: id });
      if (!done.ok) {
        await this.refresh();
        return done;
      }
    }
    await this.refresh();
    return { ok: true, value: {} };
  }

  async #do(name: "approveDevice" | "rejectDevice" | "revokeDevice", device: DeviceID): Promise<Result<object>> {
    const done = await this.#core.call(name, { device });
    if (done.ok) await this.refresh();
    return done;
  }
}

// Notices is what the person must be told and has not dismissed, newest first.
export class Notices {
  readonly list = new Store<readonly Notice[]>([]);
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
    core.on("notice", (n) => this.#publish([...this.list.snapshot().filter((o) => o.id !== n.id), n]));
  }

  async refresh(): Promise<void> {
    const got = await this.#core.call("notices", {});
    if (got.ok) this.#publish(got.value.notices);
  }

  async dismiss(id: string): Promise<void> {
    this.#publish(this.list.snapshot().filter((n) => n.id !== id));
    await this.#core.call("dismissNotice", { id });
  }

  #publish(notices: readonly Notice[]): void {
    this.list.set([...notices].sort((a, b) => b.time - a.time));
  }
}
