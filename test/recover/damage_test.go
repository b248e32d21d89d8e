package recover

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/server/admin"
	"github.com/veche-im/veche/wire"
)

// book is a log that a test reads.
type book struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *book) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *book) has(all ...string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for line := range strings.Lines(b.b.String()) {
		ok := true
		for _, s := range all {
			ok = ok && strings.Contains(line, s)
		}
		if ok {
			return true
		}
	}
	return false
}

// row returns the rowid, the head and the body of an entry, from a site that is
// stopped.
func row(t *testing.T, data string, room wire.RoomID, seq int64) (head, body []byte) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(data, "veche.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(`SELECT head, body FROM room_entry WHERE room_id = ? AND seq = ?`, room[:], seq).Scan(&head, &body); err != nil {
		t.Fatal(err)
	}
	return head, body
}

// edit changes the file of a site's database at the place where what stands.
func edit(t *testing.T, data string, what []byte, change func(file []byte, at int)) {
	t.Helper()
	path := filepath.Join(data, "veche.db")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(b, what)
	if at < 0 {
		t.Fatal("it does not stand in the file")
	}
	change(b, at)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A disk that changes or loses a part of one room's log is found when it is read,
// is said, and costs the others nothing.
func TestADamagedRoomIsSaidAndTheOthersGoOn(t *testing.T) {
	for _, tt := range []struct {
		name string
		hurt func(t *testing.T, data string, room wire.RoomID, seq int64)
	}{
		{"a bit of a message", func(t *testing.T, data string, room wire.RoomID, seq int64) {
			_, body := row(t, data, room, seq)
			edit(t, data, body[5000:5064], func(b []byte, at int) { b[at+32] ^= 4 })
		}},
		{"a whole page", func(t *testing.T, data string, room wire.RoomID, seq int64) {
			_, body := row(t, data, room, seq)
			edit(t, data, body[:64], func(b []byte, at int) {
				at -= at % 4096
				copy(b[at:at+4096], bytes.Repeat([]byte{0xee}, 4096))
			})
		}},
		{"a row's number", func(t *testing.T, data string, room wire.RoomID, seq int64) {
			db, err := sql.Open("sqlite", filepath.Join(data, "veche.db"))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec(`DELETE FROM room_entry WHERE room_id = ? AND seq = ?`, room[:], seq); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log book
			w := testenv.New(t, testenv.WithUsers("ann", "bob", "cy"), testenv.WithLog(slog.New(slog.NewTextHandler(&log, nil))))
			ann, bob := w.Client("ann"), w.Client("bob")
			hurt, well := ann.Group("Hurt", "bob"), ann.Group("Well", "bob")
			bob.Open("Hurt")
			bob.Open("Well")
			bob.Stop()
			var at int64
			for i := range 12 {
				i := i
				s := ann.Sent(ann.Send(hurt, fmt.Sprint(i, strings.Repeat(" long", 1400))))
				if i == 5 {
					at = s.Seq
				}
			}
			ann.Sent(ann.Send(well, "before"))
			w.Stop()
			tt.hurt(t, w.Dir, hurt, at)
			w.Restart()

			// Who had read all goes on, even in that room.
			ann.Ready()
			ann.Sent(ann.Send(well, "after"))
			ann.Sent(ann.Send(hurt, "after"))
			// Who had not reads what is whole, and the other room.
			bob.Start()
			bob.Sees(well, "ann", "after")
			bob.Sent(bob.Send(well, "heard"))
			ann.Sees(well, "bob", "heard")
			bob.Until("what is whole is read", func() bool { return len(bob.Texts(hurt)) >= 4 })
			_, err := testenv.Ask(bob, api.AddMembers, api.RoomPeople{Room: hurt, Members: bob.People("cy")})
			if f := api.FailureOf(err); f.Code != api.ServerHurt {
				t.Errorf("a command in the damaged room is told %v", err)
			}
			for _, text := range bob.Texts(hurt) {
				if text == "after" {
					t.Error("bob was shown what comes after the damage")
				}
			}
			if n := bob.Notices(); len(n) > 0 {
				t.Errorf("bob was told %+v, as if the log were forged", n)
			}

			if !log.has("level=ERROR", hurt.String()) {
				t.Errorf("the server's log does not name the room:\n%s", log.b.String())
			}
			if st, err := admin.AskState(context.Background(), w.Dir); err != nil || st.Damage == 0 {
				t.Errorf("the doctor hears of %d damages, %v", st.Damage, err)
			}
			var named bool
			if _, err := admin.AskCheck(context.Background(), w.Dir, func(f admin.Fault) {
				named = named || f.Room == hurt && f.Seq > 0 && f.Seq <= at
				if f.Room == well {
					t.Errorf("the check names the other room: %+v", f)
				}
			}); err != nil || !named {
				t.Errorf("the check does not name the entry, %v", err)
			}
			bob.Stop()
		})
	}
}
