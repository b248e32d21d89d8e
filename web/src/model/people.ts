import type { AccountID, Person } from "../core/api.gen.ts";
import type { Core } from "../core/core.ts";
import { Store } from "./store.ts";

export interface PeopleList {
  readonly loaded: boolean;
  readonly people: readonly Person[]; // by name
  readonly byId: ReadonlyMap<AccountID, Person>;
}

// People is everybody at this site.
export class People {
  readonly list = new Store<PeopleList>({ loaded: false, people: [], byId: new Map() });
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
    core.on("people", ({ people }) => {
      const byId = new Map(this.list.snapshot().byId);
      for (const p of people) byId.set(p.id, p);
      this.#publish(byId);
    });
  }

  async refresh(): Promise<void> {
    const got = await this.#core.call("people", {});
    if (got.ok) this.#publish(new Map(got.value.people.map((p) => [p.id, p])), true);
  }

  #publish(byId: ReadonlyMap<AccountID, Person>, loaded = this.list.snapshot().loaded): void {
    const people = [...byId.values()].sort((a, b) => a.name.localeCompare(b.name));
    this.list.set({ loaded, people, byId });
  }
}
