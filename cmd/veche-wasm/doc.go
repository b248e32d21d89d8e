// Veche-wasm is the client core in a browser's worker: it carries calls, answers
// and events between JavaScript and the client, and files between the client
// and the browser's Blobs; nothing else. It is built for GOOS=js alone.
//
// The worker (web/src/core/worker.ts) leaves what it needs at globalThis.veche
// and globalThis.vecheSqlite before it starts. docs/spec/browser.md.
package main
