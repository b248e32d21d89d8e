// Package room keeps rooms: who is in them, their logs, and what a device needs
// to join. It orders and refuses; it cannot read.
//
// A room is an MLS group whose public half stands here, node by node. A commit
// is judged in full before the writer is asked, on the group as it stood, and
// takes effect in one transaction if the room still stands so: of two commits
// for one epoch exactly one wins. An entry that was acknowledged is on disk, its
// seq is the one after the entry before it, and its head binds all that came
// before. What a device sends twice under one client id is one entry.
//
// Members are the accounts of the tree's leaves. Who left may read what came
// before. Events leave after the commit, in the order of commits, and are hints:
// the log is the truth. docs/spec/room-log.md.
package room
