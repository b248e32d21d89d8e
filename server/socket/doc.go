// Package socket is the server's end of a WebSocket (RFC 6455), made for
// thousands that are quiet and for events that go to all of them.
//
// A quiet connection holds no buffer, and its reader waits on a small stack.
// What many hear is made into a frame once, with its header, since a server's
// frames are not masked; the same bytes go to every socket, and what waits for
// one socket leaves in one write. Who has many to write to need not wait for any:
// Try leaves behind what a peer does not take. docs/spec/framing.md, ADR 14.
//
// Messages are binary and come whole. Pings are answered, fragments joined,
// masks taken off, and whoever breaks a rule of the RFC is told which one by
// the status of the close frame. There are no extensions.
package socket
