// What people do in calls, and what they see and hear of one another.
import * as does from "./steps.mjs";
import { until } from "./until.mjs";

/** devices gives a browser a camera that moves and a microphone that beeps. */
export const devices = ["--use-fake-device-for-media-stream=fps=10", "--use-fake-ui-for-media-stream"];

/** watchMedia keeps the connections that a page makes, so that a test can ask what arrived. */
export function watchMedia(browser) {
  return browser.addInitScript(() => {
    const Real = globalThis.RTCPeerConnection;
    globalThis.connections = [];
    globalThis.RTCPeerConnection = class extends Real {
      constructor(...args) {
        super(...args);
        globalThis.connections.push(this);
      }
    };
  });
}

/** arrived is what the newest connection has received and played so far. */
export function arrived(p) {
  return p.page.evaluate(async () => {
    const pc = globalThis.connections?.findLast((c) => c.connectionState !== "closed");
    const made = globalThis.connections?.length ?? 0;
    const sum = { made, state: pc?.connectionState ?? "none", packets: 0, energy: 0, frames: 0, height: 0, path: "" };
    if (!pc) return sum;
    const stats = await pc.getStats();
    for (const s of stats.values()) {
      if (s.type === "transport" && s.selectedCandidatePairId) {
        const local = stats.get(stats.get(s.selectedCandidatePairId)?.localCandidateId);
        sum.path = local?.relayProtocol ?? local?.protocol ?? "";
      }
      if (s.type !== "inbound-rtp") continue;
      if (s.kind === "audio") {
        sum.packets += s.packetsReceived ?? 0;
        sum.energy += s.totalAudioEnergy ?? 0;
      } else {
        sum.frames += s.framesDecoded ?? 0;
        sum.height = Math.max(sum.height, s.frameHeight ?? 0);
      }
    }
    return sum;
  });
}

/** hears waits until sound with something in it comes from the others: silence has no energy. */
export async function hears(p, within = 30_000) {
  const before = (await arrived(p)).energy;
  return until(
    `${p.name} hears something`,
    async () => {
      const now = await arrived(p);
      // A connection that was made anew counts from nothing.
      return now.energy - (now.energy < before ? 0 : before) > 1e-4 && now;
    },
    within,
  );
}

/** sees waits until so many pictures more were decoded. */
export async function sees(p, pictures = 5, within = 60_000) {
  const before = (await arrived(p)).frames;
  return until(`${p.name} sees moving pictures`, async () => (await arrived(p)).frames >= before + pictures, within);
}

/** notices watches for a while that nothing can be played any more. */
export async function hearsNothing(p, ms = 3000) {
  await new Promise((resolve) => setTimeout(resolve, 1000)); // what was on its way
  const before = await arrived(p);
  await new Promise((resolve) => setTimeout(resolve, ms));
  const after = await arrived(p);
  return after.energy - before.energy < 1e-6 && after.frames === before.frames;
}

export const bar = (p) => p.page.getByRole("toolbar", { name: p.t("call.controls") });
export const press = (p, key) => bar(p).getByRole("button", { name: p.t(key), exact: true }).click();
export const ringing = (p, who) => p.page.getByRole("alertdialog", { name: p.t("call.incoming", { name: who }) });

/** dial calls from the header of the open chat. */
export async function dial(p, video = false) {
  await p.page.getByRole("button", { name: p.t(video ? "call.video" : "call.audio"), exact: true }).click();
}

/** enter goes through the lobby of the open group, to a new call or one that is there. */
export async function enter(p, { video = false, there = false } = {}) {
  if (there) await p.page.getByRole("status").getByRole("button", { name: p.t("call.join"), exact: true }).click();
  else await dial(p, video);
  const lobby = p.page.getByRole("dialog");
  await lobby.waitFor();
  if (there && video) await lobby.getByRole("button", { name: p.t("call.cameraOn"), exact: true }).click();
  await lobby.getByRole("button", { name: p.t(there ? "call.joinNow" : "call.start"), exact: true }).click();
  await bar(p).waitFor();
}

export async function answer(p, who) {
  await ringing(p, who).waitFor();
  await ringing(p, who).getByRole("button", { name: p.t("call.answer"), exact: true }).click();
  await bar(p).waitFor();
}

/** out waits until no call is on screen. */
export const out = (p) => bar(p).waitFor({ state: "detached" });

export const callRow = (p, key) => does.messages(p).filter({ hasText: p.t(key) });
