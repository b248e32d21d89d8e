// Package sfu forwards the media of calls and cannot open it: what it takes off
// the wire is SRTP around frames that the devices have sealed for one another,
// and it holds no key for the inside. It knows calls and participants by number
// alone, neither people nor rooms.
//
// A packet is opened once and sealed once for each receiver. Every audio stream
// of a call is rewritten once for the whole call (SSRC, sequence number,
// timestamp), so that a receiver has no egress state that changes: any worker
// may seal for anybody without asking anybody. Workers share read-only
// snapshots; nothing is allocated per packet, and no goroutine, timer or object
// exists per subscription.
//
// The order of things for a participant: Join answers its offer, then come
// ICE checks, the DTLS handshake, media. Gone is said once and is the last that
// its Listener hears. The specification is docs/spec/calls.md, the reasons and
// the figures are in ADR 13.
package sfu
