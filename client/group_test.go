package client_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/wire"
)

func TestWhoIsRemovedOpensNothingThatFollows(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob", "cyd"))
	ann, bob, cyd := w.Client("ann"), w.Client("bob"), w.Client("cyd")
	id := ann.Group("council", "bob", "cyd")
	bob.Open("council")
	cyd.Open("council")
	bob.Send(id, "all three")
	ann.Sees(id, "bob", "all three")
	cyd.Sees(id, "bob", "all three")

	if _, err := testenv.Ask(bob, api.RemoveMember, api.RoomPerson{Room: id, Member: bob.Person("cyd")}); api.FailureOf(err).Code != api.NotAllowed {
		t.Errorf("bob, who is no owner, removes cyd: %v", err)
	}
	testenv.Do(ann, api.RemoveMember, api.RoomPerson{Room: id, Member: ann.Person("cyd")})
	cyd.Until("left", func() bool { return cyd.Room("council").State == api.RoomLeft })
	bob.Until("two members", func() bool { return bob.Room("council").Members == 2 })
	ann.Send(id, "between us")
	bob.Sees(id, "ann", "between us")
	if texts := cyd.Texts(id); !slices.Equal(texts, []string{"all three"}) {
		t.Errorf("cyd has %q", texts)
	}
	last := cyd.Timeline(id)[len(cyd.Timeline(id))-1]
	if last.Change == nil || last.Change.Kind != api.ChangeRemoved || !last.Change.You || last.Change.By != "ann" {
		t.Errorf("cyd's last row is %+v %+v", last, last.Change)
	}
	if _, err := testenv.Ask(cyd, api.SendMessage, api.Outgoing{Room: &id, Text: "x"}); api.FailureOf(err).Code != api.NotAllowed {
		t.Errorf("cyd writes after removal: %v", err)
	}
	details := testenv.Do(bob, api.GetRoom, api.RoomRef{Room: id})
	if len(details.Members) != 2 || details.Epoch == 0 || details.Suite == "" || details.Code != testenv.Do(ann, api.GetRoom, api.RoomRef{Room: id}).Code {
		t.Errorf("details: %+v", details)
	}

	testenv.Do(ann, api.AddMembers, api.RoomPeople{Room: id, Members: ann.People("cyd")})
	cyd.Open("council")
	ann.Send(id, "welcome back")
	cyd.Sees(id, "ann", "welcome back")
	if texts := cyd.Texts(id); !slices.Equal(texts, []string{"all three", "welcome back"}) {
		t.Errorf("cyd has %q", texts)
	}
	noNotices(t, ann, bob, cyd)
}

func noNotices(t *testing.T, clients ...*testenv.Client) {
	t.Helper()
	for _, c := range clients {
		for _, n := range c.Notices() {
			if n.Severe {
				t.Errorf("%s is told %s: %s", c.Name, n.Code, n.Text)
			}
		}
	}
}

func TestNamesOwnersAndLeaving(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob", "cyd"))
	ann, bob, cyd := w.Client("ann"), w.Client("bob"), w.Client("cyd")
	id := ann.Group("council", "bob", "cyd")
	bob.Open("council")
	cyd.Open("council")

	testenv.Do(bob, api.RenameRoom, api.Rename{Room: id, Name: "assembly"})
	ann.Open("assembly")
	cyd.Open("assembly")

	testenv.Do(ann, api.SetRole, api.SetOwner{Room: id, Member: ann.Person("bob"), Owner: true})
	bob.Until("owner", func() bool { return bob.Room("assembly").Role == api.Owner })
	testenv.Do(bob, api.SetRole, api.SetOwner{Room: id, Member: bob.Person("ann"), Owner: false})
	ann.Until("no owner", func() bool { return ann.Room("assembly").Role == api.Member })

	// The last owner leaves: whoever has the lowest leaf takes the place.
	testenv.Do(bob, api.LeaveRoom, api.RoomRef{Room: id})
	bob.Until("left", func() bool { return bob.Room("assembly").State == api.RoomLeft })
	ann.Until("owner again", func() bool { m := ann.Room("assembly"); return m.Role == api.Owner && m.Members == 2 })
	cyd.Until("two members", func() bool { return cyd.Room("assembly").Members == 2 })
	cyd.Send(id, "bob has gone")
	ann.Sees(id, "cyd", "bob has gone")
	if slices.Contains(bob.Texts(id), "bob has gone") {
		t.Error("bob reads on")
	}
	found := false
	for _, i := range cyd.Timeline(id) {
		found = found || i.Change != nil && i.Change.Kind == api.ChangeLeft && i.Change.By == "bob"
	}
	if !found {
		t.Error("cyd is not told that bob left")
	}
	noNotices(t, ann, bob, cyd)
}

func TestReplyEditDelete(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	q := ann.SendTo("bob", "frist")
	row := bob.Sees(q.Room, "ann", "frist")
	re := testenv.Do(bob, api.SendMessage, api.Outgoing{Room: &q.Room, Text: "what?", Reply: row.ID})
	got := ann.Sees(q.Room, "bob", "what?")
	if got.Reply == nil || got.Reply.ID != q.ID || got.Reply.Text != "frist" || got.Reply.Name != "ann" {
		t.Errorf("the reply quotes %+v", got.Reply)
	}
	testenv.Do(ann, api.EditMessage, api.Edit{Room: q.Room, ID: q.ID, Text: "first"})
	edited := bob.Sees(q.Room, "ann", "first")
	if !edited.Edited || edited.ID != row.ID || edited.Seq != row.Seq {
		t.Errorf("after the edit: %+v", edited)
	}
	bob.Row(q.Room, re.ID, func(i api.Item) bool { return i.Reply != nil && i.Reply.Text == "first" })
	if _, err := testenv.Ask(bob, api.EditMessage, api.Edit{Room: q.Room, ID: row.ID, Text: "mine"}); api.FailureOf(err).Code != api.NotAllowed {
		t.Errorf("bob edits ann's: %v", err)
	}
	testenv.Do(ann, api.DeleteMessage, api.ItemRef(q))
	bob.Row(q.Room, row.ID, func(i api.Item) bool { return i.Kind == api.ItemDeleted && i.Text == "" && len(i.Rich) == 0 })
	ann.Row(q.Room, q.ID, func(i api.Item) bool { return i.Kind == api.ItemDeleted })
	noNotices(t, ann, bob)
}

// sameLog checks that all have the same messages in the same order, each once.
func sameLog(t *testing.T, room wire.RoomID, want []string, clients ...*testenv.Client) {
	t.Helper()
	for _, c := range clients {
		c.Until(fmt.Sprintf("%d messages", len(want)), func() bool { return len(c.Texts(room)) >= len(want) })
	}
	first := clients[0].Texts(room)
	sorted := slices.Sorted(slices.Values(first))
	if !slices.Equal(sorted, slices.Sorted(slices.Values(want))) {
		t.Errorf("%s has %q, want %q", clients[0].Name, first, want)
	}
	for _, c := range clients[1:] {
		if got := c.Texts(room); !slices.Equal(got, first) {
			t.Errorf("%s has %q, %s has %q", c.Name, got, clients[0].Name, first)
		}
	}
}

func TestBothWriteWhileTheServerIsDown(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob", "cyd"))
	ann, bob, cyd := w.Client("ann"), w.Client("bob"), w.Client("cyd")
	id := ann.Group("council", "bob", "cyd")
	bob.Open("council")
	cyd.Open("council")
	ann.Send(id, "before")
	bob.Sees(id, "ann", "before")

	w.Stop()
	want := []string{"before"}
	for i := range 5 {
		for _, c := range []*testenv.Client{ann, bob, cyd} {
			text := fmt.Sprintf("%s %d", c.Name, i)
			want = append(want, text)
			q := c.Send(id, text)
			if row := c.Row(id, q.ID, func(i api.Item) bool { return true }); row.State != api.ItemSaved || row.Seq != 0 {
				t.Errorf("written offline: %+v", row)
			}
		}
	}
	bob.Restart() // with the server down
	if rows := bob.Timeline(id); len(rows) < 6 {
		t.Errorf("after a restart without server bob sees %d rows", len(rows))
	}
	w.Restart()
	for _, c := range []*testenv.Client{ann, bob, cyd} {
		c.Link.Mend()
	}
	sameLog(t, id, want, ann, bob, cyd)
	noNotices(t, ann, bob, cyd)
}

func TestManyWriteAndChangeTheRoomAtOnce(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob", "cyd", "dan"))
	ann, bob, cyd, dan := w.Client("ann"), w.Client("bob"), w.Client("cyd"), w.Client("dan")
	all := []*testenv.Client{ann, bob, cyd}
	id := ann.Group("council", "bob", "cyd")
	bob.Open("council")
	cyd.Open("council")
	testenv.Do(ann, api.SetRole, api.SetOwner{Room: id, Member: ann.Person("bob"), Owner: true})
	bob.Until("owner", func() bool { return bob.Room("council").Role == api.Owner })

	var want []string
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, c := range all {
		wg.Go(func() {
			for i := range 10 {
				text := fmt.Sprintf("%s %d", c.Name, i)
				mu.Lock()
				want = append(want, text)
				mu.Unlock()
				c.Send(id, text)
			}
		})
	}
	wg.Go(func() { testenv.Do(ann, api.AddMembers, api.RoomPeople{Room: id, Members: ann.People("dan")}) })
	wg.Go(func() {
		testenv.Do(bob, api.SetRole, api.SetOwner{Room: id, Member: bob.Person("cyd"), Owner: true})
	})
	wg.Wait()
	sameLog(t, id, want, all...)
	dan.Open("council")
	for _, c := range all {
		c.Until("four members", func() bool { return c.Room("council").Members == 4 })
	}
	details := testenv.Do(dan, api.GetRoom, api.RoomRef{Room: id})
	owners := 0
	for _, m := range details.Members {
		if m.Role == api.Owner {
			owners++
		}
	}
	if owners != 3 {
		t.Errorf("%d owners: %+v", owners, details.Members)
	}
	// Orders of one sender stay.
	texts := ann.Texts(id)
	for _, c := range all {
		last := -1
		for i := range 10 {
			at := slices.Index(texts, fmt.Sprintf("%s %d", c.Name, i))
			if at < last {
				t.Errorf("%s's %d came before the one before it", c.Name, i)
			}
			last = at
		}
	}
	noNotices(t, ann, bob, cyd, dan)
}

func TestTwoOpenTheirDirectRoomAtOnce(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	ann.Person("bob")
	bob.Person("ann")
	ann.Link.Cut()
	bob.Link.Cut()
	x, y := ann.SendTo("bob", "from ann"), bob.SendTo("ann", "from bob")
	if x.Room == y.Room {
		t.Fatal("two devices chose one id")
	}
	ann.Link.Mend()
	bob.Link.Mend()
	var room wire.RoomID
	ann.Until("one room", func() bool {
		a, b := ann.Room("bob"), bob.Room("ann")
		room = a.ID
		return a.ID == b.ID && len(ann.Texts(a.ID)) == 2 && len(bob.Texts(a.ID)) == 2
	})
	sameLog(t, room, []string{"from ann", "from bob"}, ann, bob)
	// The id that was given out goes on working.
	for _, q := range []struct {
		c *testenv.Client
		r wire.RoomID
	}{{ann, x.Room}, {bob, y.Room}} {
		if got := testenv.Do(q.c, api.GetTimeline, api.Window{Room: q.r}); len(got.Items) < 2 {
			t.Errorf("%s: the planned room leads to %+v", q.c.Name, got)
		}
	}
	noNotices(t, ann, bob)
}

func TestNotesToOneself(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann"))
	ann := w.Client("ann")
	q := ann.SendTo("ann", "milk")
	ann.Sent(q)
	m := ann.Room("ann")
	if !m.Self || m.Peer != nil || m.ID != q.Room {
		t.Errorf("notes to oneself: %+v", m)
	}
	if again := testenv.Do(ann, api.OpenDirect, api.PersonRef{Person: ann.Person("ann")}); again.ID != q.Room {
		t.Errorf("a second room for notes: %s", again.ID)
	}
}
