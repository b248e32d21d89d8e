// Package promise lets a goroutine wait for a JavaScript promise, so that the
// browser's event loop goes on meanwhile. It has content for GOOS=js alone.
//
// Await must not be called in the goroutine of a js.FuncOf callback: the event
// loop waits for that one to return.
package promise
