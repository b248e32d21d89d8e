// Package light is a device that does as little as a device can: it connects,
// signs in, sends messages that were sealed by nobody, and of what it hears it
// looks at the room and the number alone. Thousands of them fit into one
// process, and cost less than the server that they load.
//
// Towards the server a light device behaves as docs/spec/framing.md and
// docs/spec/room-log.md ask: it answers pings, keeps a heartbeat, reads the log
// where it hears a gap, lists its rooms when it comes, and waits as long as it
// is told to.
package light

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"net"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/veche-im/veche/cmd/veche/load"
	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/wire"
)

// Room is a group that exists at the server.
type Room struct {
	ID    wire.RoomID
	Epoch uint64
}

// Site is a server as light devices see it.
type Site struct {
	// Cursors has devices tell how far they have come, as clients do, which is what
	// gives senders their second tick.
	Cursors atomic.Bool

	address string
	tls     *tls.Config // nil: no TLS
	rooms   []Room
	index   map[wire.RoomID]int32
	sends   []sending // of each room
	run     uint64    // marks the messages of this run
}

// NewSite is the server at address, host and port, with rooms as they are
// counted by the load. A nil t is for plain http.
func NewSite(address string, t *tls.Config, rooms []Room) (*Site, error) {
	s := &Site{address: address, tls: t, rooms: rooms, index: make(map[wire.RoomID]int32, len(rooms)), sends: make([]sending, len(rooms))}
	var run [8]byte
	rand.Read(run[:])
	s.run = binary.BigEndian.Uint64(run[:])
	for i, r := range rooms {
		s.index[r.ID] = int32(i)
		var err error
		if s.sends[i], err = newSending(r); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// number is the load's number of a message, 0 for one that is not of this run.
func (s *Site) number(client []byte) uint64 {
	if len(client) != len(wire.ClientID{}) || binary.BigEndian.Uint64(client) != s.run {
		return 0
	}
	return binary.BigEndian.Uint64(client[8:])
}

func (s *Site) client(n uint64) (id wire.ClientID) {
	binary.BigEndian.PutUint64(id[:], s.run)
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}

// sending is the parameters of room.send, ready but for the client id.
type sending struct {
	params []byte
	at     [2]int // where the client id goes
}

// newSending makes a message that its members could not open, but in which the
// server finds nothing wrong: it belongs to the group and its epoch, and names
// the entry's client id.
func newSending(r Room) (s sending, err error) {
	mark := wire.NewClientID()
	m := mls.PrivateMessage{
		GroupID: r.ID[:], Epoch: r.Epoch, Type: mls.ContentApplication,
		AuthenticatedData: policy.MessageData{Client: mark}.Encode(),
		SenderData:        make([]byte, 28),                  // leaf, generation, guard and tag of AES-GCM
		Ciphertext:        make([]byte, load.MessageSize+16), // with the tag
	}
	rand.Read(m.SenderData)
	rand.Read(m.Ciphertext)
	body, err := mls.Marshal(mls.Message{Private: &m})
	if err != nil {
		return s, err
	}
	s.params, err = wire.Encode(wire.SendMessage{Room: r.ID, Client: mark, Epoch: r.Epoch, Body: body})
	if err != nil {
		return s, err
	}
	s.at = [2]int{bytes.Index(s.params, mark[:]), bytes.LastIndex(s.params, mark[:])}
	if s.at[0] < 0 || s.at[0] == s.at[1] {
		return s, fmt.Errorf("a message of %s does not name its client id twice", r.ID)
	}
	return s, nil
}

// dialer gives each device an address of its own where loopback has many, so
// that ports do not run out and devices do not look like one.
func dialer(device int) net.Dialer {
	d := net.Dialer{Timeout: 30 * time.Second}
	if runtime.GOOS == "linux" {
		d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, byte(1+device>>8%250), byte(device), 1)}
	}
	return d
}
