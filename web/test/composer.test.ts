import { beforeEach, describe, expect, test, vi } from "vitest";
import type { Room } from "../src/core/api.gen.ts";
import { Composer } from "../src/features/conversation/composer.ts";
import type { Message } from "../src/model/timeline.ts";
import { Desk, item, room } from "./item.ts";

const here = { id: room, state: "open", kind: "group", draft: "half a thou" } as unknown as Room;
const ok = (value: object) => ({ ok: true as const, value });

function setUp({ made = true, fail = "", at = here }: { made?: boolean; fail?: string; at?: Room } = {}) {
  const sent: [Message, object][] = [];
  const edits: [string, string][] = [];
  const desk = new Desk();
  const composer = new Composer(
    desk,
    {
      send: async (m, to) => {
        sent.push([m, to]);
        return fail ? { ok: false, failure: { code: fail as never } } : ok({ room, id: "x" });
      },
      edit: async (id, text) => {
        edits.push([id, text]);
        return ok({});
      },
    } as ConstructorParameters<typeof Composer>[1],
    at,
    () => made,
    1000,
  );
  return { composer, desk, sent, edits, state: () => composer.state.snapshot() };
}

beforeEach(() => {
  vi.useFakeTimers();
});

describe("writing", () => {
  test("it opens with the draft that was left", () => {
    expect(setUp().state().text).toBe("half a thou");
  });
  test("the field is empty in the moment of sending, and so is the draft", async () => {
    const { composer, state, sent, desk } = setUp();
    composer.edit("  hello  ");
    const going = composer.send();
    expect(state().text).toBe("");
    await going;
    expect(sent[0]?.[0].text).toBe("hello");
    expect(desk.asked("saveDraft").at(-1)).toEqual({ room, text: "" });
  });
  test("what the core refuses comes back into the field, with its reply", async () => {
    const { composer, state } = setUp({ fail: "no_space" });
    composer.replyTo(item(3));
    composer.edit("precious words");
    await composer.send();
    expect(state()).toMatchObject({ text: "precious words", reply: { id: "m3" }, problem: { key: "fail.no_space" } });
  });
  test("… but does not overwrite what was written meanwhile", async () => {
    const { composer, state } = setUp({ fail: "no_space" });
    composer.edit("first");
    const going = composer.send();
    composer.edit("second");
    await going;
    expect(state().text).toBe("second");
  });
  test("blank text sends nothing", async () => {
    const { composer, sent } = setUp();
    composer.edit(" \n ");
    await composer.send();
    expect(sent).toEqual([]);
  });
  test("a text over the cap stays in the field and says so", async () => {
    const { composer, state, sent } = setUp();
    composer.edit("x".repeat(16_385));
    await composer.send();
    expect(sent).toEqual([]);
    expect(state().problem?.key).toBe("write.tooLong");
    expect(state().text).toHaveLength(16_385);
  });
  test("a person one never wrote to is named, not a room that does not exist", async () => {
    const { composer, sent, desk } = setUp({ made: false, at: { ...here, peer: "ann" as never } });
    composer.edit("hi");
    await composer.send();
    expect(sent[0]?.[1]).toEqual({ person: "ann" });
    expect(desk.asked("typing")).toEqual([]);
    expect(desk.asked("saveDraft")).toEqual([]);
  });
});

describe("drafts and typing", () => {
  test("a draft is kept after a pause, once", () => {
    const { composer, desk } = setUp();
    for (const text of ["a", "ab", "abc"]) composer.edit(text);
    vi.advanceTimersByTime(1000);
    expect(desk.asked("saveDraft")).toEqual([{ room, text: "abc" }]);
  });
  test("leaving the room keeps it at once", () => {
    const { composer, desk } = setUp();
    composer.edit("abc");
    composer.close();
    expect(desk.asked("saveDraft")).toEqual([{ room, text: "abc" }]);
  });
  test("typing is said at most every three seconds", () => {
    const { composer, desk } = setUp();
    for (let n = 1; n <= 61; n++) {
      composer.edit("x".repeat(n));
      vi.advanceTimersByTime(100);
    }
    expect(desk.asked("typing")).toHaveLength(3);
  });
});

describe("editing", () => {
  test("what stood in the field before comes back, and never becomes the message's text", async () => {
    const { composer, state, edits, desk } = setUp();
    composer.edit("unsent");
    composer.beginEdit(item(5, { mine: true, text: "old" }));
    expect(state().text).toBe("old");
    composer.edit("new");
    composer.keepDraft();
    expect(desk.asked("saveDraft").at(-1)).toEqual({ room, text: "unsent" });
    await composer.send();
    expect(edits).toEqual([["m5", "new"]]);
    expect(state()).toMatchObject({ text: "unsent", editing: undefined });
  });
  test("cancelling changes nothing", () => {
    const { composer, state, edits } = setUp();
    composer.beginEdit(item(5, { text: "old" }));
    composer.edit("other");
    composer.cancel();
    expect(state().text).toBe("half a thou");
    expect(edits).toEqual([]);
  });
  test("an unchanged text is not sent", async () => {
    const { composer, edits } = setUp();
    composer.beginEdit(item(5, { text: "old" }));
    await composer.send();
    expect(edits).toEqual([]);
  });
});

describe("files", () => {
  const file = (name: string, size = 10, type = "application/pdf") => new File([new Uint8Array(size)], name, { type });
  test("they go with the words, in their order, bytes beside names", async () => {
    const { composer, sent } = setUp();
    composer.attach([file("a.pdf"), file("b.pdf", 20)]);
    composer.edit("two files");
    await composer.send();
    const [message] = sent[0] ?? [];
    expect(message?.files.map((f) => f.name)).toEqual(["a.pdf", "b.pdf"]);
    expect(message?.blobs.map((b) => b.size)).toEqual([10, 20]);
  });
  test("one that is over the server's cap is left out, by name", () => {
    const { composer, state } = setUp();
    composer.attach([file("big.pdf", 1001), file("small.pdf")]);
    expect(state().attachments.map((a) => a.original.name)).toEqual(["small.pdf"]);
    expect(state().problem).toEqual({ key: "write.tooLarge", values: { name: "big.pdf", size: 1000 } });
  });
  test("more than twenty are not taken", () => {
    const { composer, state } = setUp();
    composer.attach(Array.from({ length: 25 }, (_, n) => file(`${n}.pdf`)));
    expect(state().attachments).toHaveLength(20);
    expect(state().problem?.key).toBe("write.tooMany");
  });
  test("a message that follows files does not overtake them", async () => {
    const { composer, sent } = setUp();
    composer.attach([file("a.pdf")]);
    composer.edit("");
    const first = composer.send();
    composer.edit("after");
    await Promise.all([first, composer.send()]);
    expect(sent.map(([m]) => m.text)).toEqual(["", "after"]);
  });
});
