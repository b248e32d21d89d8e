// Command ejabberd measures chat servers side by side: ours, and ejabberd where
// Debian's package is installed, with the same works (cmd/veche/load), the same
// driver and the same machine, in turns.
//
// ejabberd runs from the package's files in a directory of its own, which is
// removed at the end, without the system's configuration, users or epmd. It is
// not held back: no TLS, no shaping, no modules but those that the works need.
// What is compared is what both have: a message for a room is stored, then
// acknowledged and delivered to all members that are online. ejabberd's room is
// a members-only MUC (XEP-0045) with an archive (XEP-0313); a message counts as
// acknowledged when its sender sees it come back, since the room stores before
// it sends. Where it is stored is told apart, because it decides both speed and
// what a crash takes: see archive.
//
// Veche does more for each message: it checks the MLS group and its epoch,
// stores the log's hash, and remembers client ids, so that a retry is stored
// once. ejabberd does other things: it parses and writes XML, and tells the
// members of a room who is there.
//
//	go run ./test/bench/ejabberd
//	go run ./test/bench/ejabberd -servers ejabberd-sqlite -works conversations
package main
