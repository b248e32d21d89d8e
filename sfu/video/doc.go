// Package video turns the video that participants send into the video that a
// receiver's slots show, without opening a frame: it reads the payload
// descriptors of VP8 (RFC 7741) and VP9 (RFC 9628), which travel in the clear,
// and the first bytes of a VP8 frame, which docs/spec/calls.md leaves clear.
//
// A [Layer] is one encoding of a source as it arrives: it puts packets in their
// order, keeps the newest for whoever lost one, asks for what is missing and
// for key frames. A [Slot] is a place at a receiver: it rewrites what comes
// from one layer, then another, into a single stream whose sequence numbers,
// timestamps and picture ids have no seams, and it changes layers at key frames
// alone, so that a receiver is never handed a frame whose key frame it has not
// seen. [Allocate] says which layer each slot of a receiver may have, and a
// [Demand] which layers of a source nobody wants.
//
// Nothing here starts a goroutine, reads a clock, or allocates for a packet.
// Nothing locks either: a Layer belongs to whoever holds its sender, a Slot to
// whoever holds its receiver. Times are durations since any fixed moment.
package video
