import { useEffect, useRef, useState } from "react";
import type { CallParticipant } from "../../core/api.gen.ts";
import { useText } from "../../i18n/text.ts";
import type { LiveCall } from "../../model/call/live.ts";
import { useSnapshot } from "../../model/useSnapshot.ts";

const most = 20; // participants: beyond, who comes and goes is not read out

// useNews is the sentence that a screen reader says of what changed in a call.
// What was asked of oneself is shown to everybody.
export function useNews(live: LiveCall, say: (text: string) => void): string {
  const t = useText();
  const { call, reactions, asked } = useSnapshot(live.state);
  const people = call?.people;
  const before = useRef<readonly CallParticipant[] | undefined>(undefined);
  const [news, setNews] = useState("");

  useEffect(() => {
    const was = before.current;
    before.current = people;
    if (!was || !people || people.length > most) return;
    const came = people.find((p) => !p.me && !was.some((w) => w.number === p.number));
    const went = was.find((w) => !w.me && !people.some((p) => p.number === w.number));
    const raised = people.find((p) => !p.me && p.hand && !was.find((w) => w.number === p.number)?.hand);
    if (came) setNews(t("call.saidJoined", { name: came.name }));
    else if (went) setNews(t("call.saidLeft", { name: went.name }));
    else if (raised) setNews(t("call.saidHand", { name: raised.name }));
  }, [people, t]);

  const newest = reactions.at(-1);
  useEffect(() => {
    if (newest && !people?.some((p) => p.me && p.number === newest.number)) {
      setNews(t("call.saidReaction", { name: newest.name, emoji: newest.emoji }));
    }
  }, [newest, people, t]);

  useEffect(() => {
    if (asked) say(t(asked.what === "mute" ? "call.askedMute" : "call.askedHand", { name: asked.name }));
  }, [asked, say, t]);
  return news;
}
