// Package wsjs is the link of a browser: its WebSocket and its fetch, with the
// session as a cookie that no script can read. It has content for GOOS=js alone.
//
// A browser does not say why a WebSocket did not open, so the link asks for the
// session by plain HTTP then and tells what that says. docs/spec/browser.md.
package wsjs
