// Package load drives a chat server with many connections from one process and
// measures what the server makes of it.
//
// A work (Conversations, AllHands, Idle, CatchUp, …) knows nothing of the
// server: it speaks to a Target, so that several servers are measured by the
// same code. Whatever a work counts it also checks: each acknowledged message
// must reach every member of its room once, and all members in one order. A
// count that does not fit is an error, not a figure. docs/PERFORMANCE.md.
package load

import (
	"context"
	"time"
)

// MessageSize is how large the body of a message is, in bytes, before a target
// wraps it.
const MessageSize = 1024

// A Target is a server under test, with what is needed to fill and to reach it.
// Its people and rooms are counted from 0, as Layout does.
type Target interface {
	// Name is what the tables call it.
	Name() string
	// Prepare makes the people and the rooms and has the server running. It is
	// called once, before all else.
	Prepare(ctx context.Context, l Layout) error
	// Connect opens a further connection of a person. When it returns, the
	// connection is signed in, hears all rooms of the person and may send. If e was
	// connected before, what it missed since is delivered first. e is called by one
	// goroutine at a time until Ended, and must not block. A server that has no
	// room for the connection just now is a *Later.
	Connect(ctx context.Context, person int, e Events) (Conn, error)
	// Processes are the ids of all processes of the server, whose time and memory
	// are its cost; empty if it runs in this one.
	Processes() []int
	// Close ends the server and removes what Prepare made.
	Close() error
}

// A Conn is one connection. Its methods may be called from any goroutine.
type Conn interface {
	// Send puts message n with MessageSize bytes for a room on its way. It does
	// not wait for the answer, which is told by Acknowledged or Refused. N is
	// unique at the target; what is delivered is recognised by it.
	Send(room int, n uint64) error
	// CatchUp reads the newest messages of each of the rooms, at most last of
	// each, as a client that was away does, and returns how many came.
	CatchUp(ctx context.Context, rooms []int, last int) (int, error)
	// Close ends the connection at once, as a cut cable does. Ended is called, if
	// it was not.
	Close()
}

// Events is what a connection hears.
type Events interface {
	// Delivered says that message n of a room came, in the order in which the
	// server delivers; the connection's own messages too. N is 0 for what no Send
	// of this run made.
	Delivered(room int, n uint64)
	// Acknowledged says that the server has taken message n.
	Acknowledged(n uint64)
	// Refused says that the server has not taken message n. Wait is when it may be
	// sent again, 0 if that is of no use.
	Refused(n uint64, wait time.Duration, err error)
	// Ended says that the connection is over. It is called once for each, last.
	Ended(err error)
}

// Later is the error of a server that is busy, and says when to come back.
type Later struct {
	Wait time.Duration // 0: as one likes
	Err  error
}

func (l *Later) Error() string { return l.Err.Error() }

// A Layout says who is in which room.
type Layout struct {
	People int
	Rooms  [][]int // the members of each
}

// Groups is a layout of rooms with so many members each, who are in no other.
func Groups(rooms, members int) Layout {
	l := Layout{People: rooms * members, Rooms: make([][]int, rooms)}
	for r := range l.Rooms {
		for m := range members {
			l.Rooms[r] = append(l.Rooms[r], r*members+m)
		}
	}
	return l
}

// Among is a layout of rooms with so many members each out of so many people, who
// are all in about as many rooms. There must be at least as many people as members.
func Among(people, rooms, members int) Layout {
	l := Layout{People: people, Rooms: make([][]int, rooms)}
	for r := range l.Rooms {
		for m := range members {
			l.Rooms[r] = append(l.Rooms[r], (r+m*(people/members))%people)
		}
	}
	return l
}

// Shared is a layout of rooms that the same people are all in.
func Shared(rooms, members int) Layout {
	l := Layout{People: members, Rooms: make([][]int, rooms)}
	for r := range l.Rooms {
		for m := range members {
			l.Rooms[r] = append(l.Rooms[r], m)
		}
	}
	return l
}

// RoomsOf returns the rooms of each person.
func (l Layout) RoomsOf() [][]int {
	of := make([][]int, l.People)
	for r, members := range l.Rooms {
		for _, m := range members {
			of[m] = append(of[m], r)
		}
	}
	return of
}
