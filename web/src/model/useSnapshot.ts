import { useSyncExternalStore } from "react";
import type { Snapshots } from "./store.ts";

// useSnapshot renders the component anew whenever the snapshot is replaced.
export function useSnapshot<T>(source: Snapshots<T>): T {
  return useSyncExternalStore(source.subscribe, source.snapshot);
}
