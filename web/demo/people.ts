import type { AccountID, Person } from "../src/core/api.gen.ts";
import type { CommandName, EventName } from "../src/core/core.ts";
import { day, later, personId, type Refused, refused, type Scene } from "./scene.ts";
import type { Words } from "./words.ts";

type PeopleCommand = Extract<
  CommandName,
  "people" | "prove" | "createInvite" | "makeResetLink" | "shutAccount" | "openAccount" | "endSessions" | "setAdmin"
>;

// FakePeople is the part of the made-up core that knows everybody, and what an
// administrator does to accounts. It wants the password first, any but "wrong".
export class FakePeople {
  readonly list: Person[];
  readonly #scene: Scene;
  readonly #emit: (event: EventName, value: unknown) => void;
  #proved = false;

  constructor(emit: (event: EventName, value: unknown) => void, scene: Scene, words: Words) {
    this.#emit = emit;
    this.#scene = scene;
    this.list = words.people.map((name, n) => ({
      id: personId(n),
      name,
      me: n === 0,
      shut: scene === "shut" && n === 4,
      online: [0, 1, 2, 5].includes(n),
      admin: n === 0 || n === 3,
    }));
  }

  nameOf(id: AccountID): string {
    return this.list.find((p) => p.id === id)?.name ?? "";
  }

  readonly answers: { [N in PeopleCommand]: (p: never) => unknown } = {
    people: () => ({ people: this.#scene === "empty" ? this.list.slice(0, 1) : this.list }),
    prove: async ({ password }: { password: string }) => {
      await later(200);
      if (password === "wrong") return refused("not_found", "password");
      this.#proved = true;
      return {};
    },
    createInvite: async () => {
      await later(200);
      return {
        link: "https://veche.example.org:8443/join#KJ4XQ2MNT7PLAW3EZC6RVB5YHD",
        token: "x",
        expires: Date.now() + 7 * day,
      };
    },
    makeResetLink: () =>
      this.#proven(() => ({
        link: "https://veche.example.org:8443/reset#W3EZC6RVB5YHDKJ4XQ2MNT7PLA",
        token: "x",
        expires: Date.now() + day,
      })),
    shutAccount: ({ person }: { person: AccountID }) =>
      this.#proven(() => (this.#lastAdmin(person) ? refused("last_admin") : this.#change(person, { shut: true }))),
    openAccount: ({ person }: { person: AccountID }) => this.#proven(() => this.#change(person, { shut: false })),
    endSessions: () => this.#proven(() => ({})),
    setAdmin: ({ person, admin }: { person: AccountID; admin: boolean }) =>
      this.#proven(() => (!admin && this.#lastAdmin(person) ? refused("last_admin") : this.#change(person, { admin }))),
  };

  // alone leaves oneself as the only administrator.
  alone(): void {
    for (const p of this.list) if (p.admin && !p.me) this.#change(p.id, { admin: false });
  }

  async #proven(act: () => object | Refused): Promise<object> {
    await later(200);
    return this.#proved ? act() : refused("prove");
  }

  #lastAdmin(id: AccountID): boolean {
    return !this.list.some((p) => p.id !== id && p.admin && !p.shut);
  }

  #change(id: AccountID, part: Partial<Person>): object {
    const n = this.list.findIndex((p) => p.id === id);
    const was = this.list[n];
    if (!was) return refused("not_found");
    const now = { ...was, ...part, ...(part.shut ? { online: false } : {}) };
    this.list[n] = now;
    this.#emit("people", { people: [now] });
    return {};
  }
}
