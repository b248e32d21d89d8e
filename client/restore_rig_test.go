package client_test

import (
	"slices"
	"testing"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/test/ledger"
	"github.com/veche-im/veche/wire"
)

// restorable is a site that can be taken back to an earlier moment by a backup of
// then, with a ledger of what its people were promised.
type restorable struct {
	*testenv.World
	t      *testing.T
	people []*testenv.Client
	backup string
	books  ledger.Ledger
}

func restorableSite(t *testing.T, names ...string) *restorable {
	t.Helper()
	r := &restorable{World: testenv.New(t, testenv.WithUsers(names...)), t: t}
	for _, n := range names {
		r.people = append(r.people, r.Client(n))
	}
	return r
}

// restorableCouncil is a site whose people are all in one group, which the first of them
// has made.
func restorableCouncil(t *testing.T, names ...string) (r *restorable, room wire.RoomID) {
	t.Helper()
	r = restorableSite(t, names...)
	room = r.people[0].Group("council", names[1:]...)
	for _, c := range r.people[1:] {
		c.Open("council")
	}
	return r, room
}

// claims has what a client hears of the site's life be another one than it is.
func claims(c *testenv.Client, life wire.Life) {
	c.Link.Events(func(f *wire.Frame) []wire.Frame {
		var h wire.Hello
		if f.Method == wire.OnHello.Name && wire.Decode(f.Body, &h) == nil {
			h.Life = life
			f.Body = encode(h)
		}
		return []wire.Frame{*f}
	})
}

func anotherLife() wire.Life { return wire.Life{ID: wire.NewLifeID(), Began: wire.Now(time.Now())} }

// save backs the site up as it is now.
func (r *restorable) save() { r.t.Helper(); r.backup = r.Backup() }

// restore takes the site back to what was saved. Clients come back by themselves
// unless they are stopped or cut off.
func (r *restorable) restore() {
	r.t.Helper()
	r.Restore(r.backup)
	for _, c := range r.people {
		c.Link.Mend()
	}
}

// over waits until a client has come over to the site's newest life.
func over(c *testenv.Client) {
	c.TB.Helper()
	c.Notice(api.NoticeRestored)
	c.Ready()
}

// says sends a text and writes down that it is meant.
func (r *restorable) says(c *testenv.Client, room wire.RoomID, text string) api.Queued {
	r.t.Helper()
	r.books.Add(ledger.Record{Client: c.Name, Kind: ledger.Intent, Room: room.String(), Token: text})
	return c.Send(room, text)
}

// alike judges that all have the room's messages alike, each once, none alone.
func (r *restorable) alike(room wire.RoomID, want []string, clients ...*testenv.Client) {
	r.t.Helper()
	var names []string
	records := r.books.Records()
	for _, c := range clients {
		names = append(names, c.Name)
		c.Until("everything in the log", func() bool {
			got := c.Texts(room)
			slices.Sort(got)
			return slices.Equal(got, slices.Sorted(slices.Values(want))) && !gaps(c, room)
		})
		for _, i := range c.Timeline(room) {
			if i.Kind == api.ItemMessage && i.Alone {
				r.t.Errorf("%s has %q alone", c.Name, i.Text)
			}
			if i.Kind == api.ItemMessage && i.Seq > 0 {
				records = append(records, ledger.Record{Client: c.Name, Kind: ledger.Final, Room: room.String(), Token: i.Text, Seq: i.Seq})
			}
		}
	}
	for _, b := range ledger.Judge(records, map[string][]string{room.String(): names}) {
		r.t.Error(b)
	}
}

// gaps reports whether a room shows that something could not be opened.
func gaps(c *testenv.Client, room wire.RoomID) bool {
	return slices.ContainsFunc(c.Timeline(room), func(i api.Item) bool { return i.Kind == api.ItemUnopenable })
}

// rowOf returns the row with a text.
func rowOf(c *testenv.Client, room wire.RoomID, text string) (item api.Item) {
	c.TB.Helper()
	c.Until("row "+text, func() bool {
		for _, item = range c.Timeline(room) {
			if item.Text == text {
				return true
			}
		}
		return false
	})
	return item
}
