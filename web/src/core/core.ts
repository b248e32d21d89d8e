// The core is the account on this device: it keeps the keys and the messages
// and talks to the server. The interface only ever sees this file's Core;
// whether the core runs in a worker of this tab, of another tab or in a test
// is nobody else's business. docs/spec/browser.md.
import type { Commands, Events, Failure, Opened } from "./api.gen.ts";

export type CommandName = keyof Commands;
export type EventName = keyof Events;
export type Params<N extends CommandName> = Commands[N]["params"];
export type Answer<N extends CommandName> = N extends "openFile" ? OpenedFile : Commands[N]["result"];

// An expected failure is a value. What is thrown or rejected is a bug.
export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: Failure };

// OpenedFile is the answer to openFile here: the checked bytes themselves. The
// blob's type is always application/octet-stream: whoever shows it as a picture
// or a film decides that from a list of its own.
export type OpenedFile = Omit<Opened, "source"> & { readonly blob: Blob };

export interface Core {
  // call asks for a command. With "send", blobs[i] holds the bytes of
  // params.files[i], whose source the caller leaves empty; other commands have
  // no blobs. For "openFile" params.sink stays empty. Calls may be made from
  // the first moment on: they wait until the core has started.
  call<N extends CommandName>(name: N, params: Params<N>, blobs?: readonly Blob[]): Promise<Result<Answer<N>>>;

  // on hears an event until the returned function is called.
  on<E extends EventName>(event: E, hear: (value: Events[E]) => void): () => void;

  // onRestart hears that another core took over (the tab that owned the device
  // was closed): events may have been missed, so everything is asked again.
  onRestart(hear: () => void): () => void;
}
