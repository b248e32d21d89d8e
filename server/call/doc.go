// Package call holds the meetings of rooms: which there are, who takes part,
// whom it rings for, and who may ask for what. Media goes through a forwarder
// that the caller brings; what participants say to one another is sealed, and
// kept here as bytes for who comes later.
//
// A room has at most one call, by its row in the table: two devices that start
// at once get the same one. The row survives a restart, so a call that had not
// ended is there again, with nobody in it, for a minute. Participants, rings and
// versions live in memory alone.
//
// A device that leaves the room, or whose session ends, is out of the call as
// soon as the hub or the room says so; nobody is asked to believe it.
// docs/spec/calls.md.
package call
