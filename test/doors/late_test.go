package doors

import (
	"encoding/json"
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/wire"
)

// A device that still says of itself that its person types or reads, in a room that
// they have just left, is no event of security. Who was never in the room is, and so
// is whoever wants to change something there.
func TestWhoHasJustLeftIsNoEvent(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	denied := make(chan string, 100)
	go func() {
		for d := json.NewDecoder(r); ; {
			var e struct{ Msg, Event, Account, What string }
			if d.Decode(&e) != nil {
				close(denied)
				return
			}
			if e.Msg == "security" && e.Event == "denied" {
				denied <- e.Account + " " + e.What
			}
		}
	}()
	site := testenv.Start(t, testenv.WithLog(slog.New(slog.NewJSONHandler(w, nil))))
	ann := newMember(t, site.SetUpPerson("Ann"))
	bob, eve := newMember(t, site.AddPerson("Bob")), newMember(t, site.AddPerson("Eve"))
	room := ann.create(ann.owns(), bob)
	late := bob.sealing(room)
	ann.commit(room, group.CommitOptions{Remove: []mls.LeafIndex{*ann.leaf(room, bob.Session.Device)}})
	var want []string
	for _, m := range []*member{bob, eve} {
		for _, try := range []func() error{
			func() error { _, err := testenv.Try(m.Socket, wire.RoomTyping, wire.Typing{Room: room}); return err },
			func() error {
				_, err := testenv.Try(m.Socket, wire.RoomCursors, wire.SetCursor{Room: room, Read: 1})
				return err
			},
			func() error { _, err := testenv.Try(m.Socket, wire.RoomSend, late); return err },
		} {
			if err := try(); wire.CodeOf(err) != wire.NotFound {
				t.Errorf("%s: %v", m.Session.Name, err)
			}
		}
		if m == eve {
			want = append(want, m.Account.String()+" room.typing", m.Account.String()+" room.cursor")
		}
		want = append(want, m.Account.String()+" room.send")
	}
	var got []string
	for range want {
		select {
		case d := <-denied:
			got = append(got, d)
		case <-time.After(time.Minute):
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("written down is %q, want %q", got, want)
	}
}
