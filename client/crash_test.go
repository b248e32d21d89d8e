package client_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/wire"
)

// crashes runs what act does with a client whose plug is pulled at its first
// transaction, then at its second, and so on until act comes through; after
// each crash the client is started again and mended is called. Every
// transaction is once lost and once written without anybody hearing of it.
func crashes(t *testing.T, most int, c *testenv.Client, act func(round int), mended func(round int)) {
	t.Helper()
	round := 0
	for i, late := range []bool{false, true} {
		for n := 1 + i; ; n += stride() {
			if n > most {
				t.Logf("late %v: stopped after %d transactions", late, most)
				break
			}
			round++
			c.Stop()
			c.Plug = testenv.PullAfter(n, late)
			c.Start()
			act(round)
			pulled := false
			select {
			case <-c.Plug.Done():
				pulled = true
			case <-idle(c):
				pulled = c.Plug.Pulled()
			}
			c.Stop()
			c.Plug = nil
			c.Link.Mend()
			c.Start()
			mended(round)
			if !pulled {
				t.Logf("late %v: %d transactions", late, n-1)
				break
			}
		}
	}
}

// stride is how many transactions lie between two crashes: every one is tried
// with VECHE_LONG set.
func stride() int {
	if os.Getenv("VECHE_LONG") != "" {
		return 1
	}
	return 3
}

// idle is closed when nothing was told for a while.
func idle(c *testenv.Client) <-chan struct{} {
	quiet, plug := make(chan struct{}), c.Plug
	go func() {
		defer close(quiet)
		for last := -1; ; {
			time.Sleep(150 * time.Millisecond)
			n := len(c.Told())
			if n == last || plug.Pulled() {
				return
			}
			last = n
		}
	}()
	return quiet
}

// try asks for a command that a crash may keep from being answered.
func try[P, R any](c *testenv.Client, cmd api.Command[P, R], p P) (r R, ok bool) {
	type answer struct {
		r   R
		err error
	}
	done := make(chan answer, 1)
	go func() {
		r, err := testenv.Ask(c, cmd, p)
		done <- answer{r, err}
	}()
	select {
	case a := <-done:
		return a.r, a.err == nil
	case <-c.Plug.Done():
	}
	select { // it may have come just before
	case a := <-done:
		return a.r, a.err == nil
	case <-time.After(100 * time.Millisecond):
		return r, false
	}
}

func TestACrashAnywhereLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	q := ann.SendTo("bob", "0")
	bob.Sees(q.Room, "ann", "0")
	bobID := ann.Person("bob")
	var accepted []string // send has answered: these must arrive
	maybe := map[string]bool{}
	crashes(t, 60, ann, func(round int) {
		text := fmt.Sprintf("bob %d", round)
		bob.Send(q.Room, text)
		accepted = append(accepted, text)
		for _, n := range []string{"a", "b"} {
			text := fmt.Sprintf("ann %d%s", round, n)
			if _, ok := try(ann, api.SendMessage, api.Outgoing{Person: &bobID, Text: text}); ok {
				accepted = append(accepted, text)
			} else {
				maybe[text] = true
			}
		}
	}, func(round int) {
		last := fmt.Sprintf("end %d", round)
		ann.Send(q.Room, last)
		accepted = append(accepted, last)
		bob.Sees(q.Room, "ann", last)
		ann.Sees(q.Room, "bob", fmt.Sprintf("bob %d", round))
		ann.Sees(q.Room, "ann", last) // the nudge may be with bob first
	})
	x, y := ann.Texts(q.Room), bob.Texts(q.Room)
	if !slices.Equal(x, y) {
		t.Errorf("ann has %q\nbob has %q", x, y)
	}
	count := map[string]int{}
	for _, text := range x {
		count[text]++
	}
	for _, text := range accepted {
		if count[text] != 1 {
			t.Errorf("%q is there %d times", text, count[text])
		}
	}
	for text := range maybe {
		if count[text] > 1 {
			t.Errorf("%q is there %d times", text, count[text])
		}
	}
	for _, c := range []*testenv.Client{ann, bob} {
		for _, i := range c.Timeline(q.Room) {
			if i.Kind == api.ItemUnopenable || i.Seq == 0 {
				t.Errorf("%s has a row %+v", c.Name, i)
			}
		}
	}
	noNotices(t, ann, bob)
}

func TestACrashWhileMakingAndChangingAGroup(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob", "cyd"))
	ann, bob, cyd := w.Client("ann"), w.Client("bob"), w.Client("cyd")
	ids := ann.People("bob", "cyd")
	works := func(title string, room wire.RoomID) {
		ann.Open(title)
		text := "in " + title
		ann.Send(room, text)
		bob.Open(title)
		bob.Sees(room, "ann", text)
		back := "back " + title
		bob.Send(room, back)
		ann.Sees(room, "bob", back)
	}
	crashes(t, 30, ann, func(round int) {
		title := fmt.Sprintf("group %d", round)
		r, ok := try(ann, api.CreateGroup, api.NewGroup{Name: title, Members: ids[:1]})
		if ok {
			try(ann, api.AddMembers, api.RoomPeople{Room: r.ID, Members: ids[1:]})
		}
	}, func(round int) {
		title := fmt.Sprintf("group %d", round)
		ann.Ready()
		for _, m := range testenv.Do(ann, api.ListRooms, api.None{}).Rooms {
			if m.Title == title {
				works(title, m.ID)
				return
			}
		}
		// Not stored before the crash: there must be nothing of it anywhere.
		for _, m := range testenv.Do(bob, api.ListRooms, api.None{}).Rooms {
			if m.Title == title {
				t.Errorf("%s is there for bob alone", title)
			}
		}
	})
	for _, m := range testenv.Do(cyd, api.ListRooms, api.None{}).Rooms {
		if m.State != api.RoomOpen {
			t.Errorf("cyd's %s is %s", m.Title, m.State)
		}
	}
	noNotices(t, ann, bob, cyd)
}

func TestACrashWhileJoining(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	ids := ann.People("bob")
	rooms := map[int]wire.RoomID{}
	crashes(t, 30, bob, func(round int) {
		title := fmt.Sprintf("group %d", round)
		rooms[round] = testenv.Do(ann, api.CreateGroup, api.NewGroup{Name: title, Members: ids}).ID
		ann.Send(rooms[round], "first")
	}, func(round int) {
		title := fmt.Sprintf("group %d", round)
		bob.Open(title)
		bob.Sees(rooms[round], "ann", "first")
		bob.Send(rooms[round], "thanks")
		ann.Sees(rooms[round], "bob", "thanks")
	})
	noNotices(t, ann, bob)
}

func TestACrashWhileAFurtherDeviceComesIn(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	room := ann.Group("council", "bob")
	bob.Open("council")
	for n := 1; ; n += stride() {
		if n > 24 {
			t.Logf("stopped after %d transactions", n)
			break
		}
		two := w.Fresh(fmt.Sprintf("ann-%d", n))
		two.Stop()
		late := n%2 == 0
		two.Plug = testenv.PullAfter(n, late)
		two.Start()
		_, ok := try(two, api.DoSignIn, api.SignIn{Name: "ann", Password: testenv.Password, Device: "d"})
		if ok {
			_, ok = try(two, api.Recover, api.RecoveryKey{Key: ann.RecoveryKey})
		}
		if ok {
			select {
			case <-two.Plug.Done():
			case <-idle(two):
			}
		}
		pulled := two.Plug.Pulled()
		two.Stop()
		two.Plug = nil
		two.Link.Mend()
		two.Start()
		two.Until("started", func() bool {
			s := testenv.Do(two, api.GetStatus, api.None{})
			return s.Phase == api.PhaseFresh || s.Connection == api.Online
		})
		switch s := testenv.Do(two, api.GetStatus, api.None{}); s.Phase {
		case api.PhaseFresh: // signing in left nothing: once more
			testenv.Do(two, api.DoSignIn, api.SignIn{Name: "ann", Password: testenv.Password, Device: "d"})
			testenv.Do(two, api.Recover, api.RecoveryKey{Key: ann.RecoveryKey})
		case api.PhaseEnrolling:
			_, err := testenv.Ask(two, api.Recover, api.RecoveryKey{Key: ann.RecoveryKey})
			if f := api.FailureOf(err); err != nil && f.Code != api.BadInput { // it was let in before the crash
				t.Fatalf("recover after the crash: %v", err)
			}
		}
		two.Open("council")
		text := fmt.Sprintf("from %d", n)
		two.Send(room, text)
		bob.Sees(room, "ann", text)
		ann.Sees(room, "ann", text)
		self := testenv.Do(two, api.GetStatus, api.None{}).Device
		testenv.Do(ann, api.RevokeDevice, api.DeviceRef{Device: *self})
		two.Stop()
		if !pulled {
			t.Logf("%d transactions", n)
			break
		}
	}
	noNotices(t, ann, bob)
}

func TestACrashWhileSigningUp(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann"))
	ann := w.Client("ann")
	for n := 1; ; n += stride() {
		if n > 24 {
			t.Logf("stopped after %d transactions", n)
			break
		}
		name := fmt.Sprintf("p%d", n)
		c := w.Fresh(name)
		c.Stop()
		c.Plug = testenv.PullAfter(n, n%2 == 0)
		c.Start()
		_, ok := try(c, api.DoSignUp, api.SignUp{Token: w.Invite(), Name: name, Password: testenv.Password, Device: "d"})
		if ok {
			select {
			case <-c.Plug.Done():
			case <-idle(c):
			}
		}
		pulled := c.Plug.Pulled()
		c.Stop()
		c.Plug = nil
		c.Link.Mend()
		c.Start()
		c.Until("started", func() bool {
			s := testenv.Do(c, api.GetStatus, api.None{})
			return s.Phase == api.PhaseFresh || s.Phase == api.PhaseReady
		})
		if s := testenv.Do(c, api.GetStatus, api.None{}); s.Phase == api.PhaseFresh {
			// The account is there and this device knows nothing of it: signing in
			// makes it the first device.
			e := testenv.Do(c, api.DoSignIn, api.SignIn{Name: name, Password: testenv.Password, Device: "d"})
			if e.Phase != api.PhaseReady || e.RecoveryKey == "" {
				t.Errorf("round %d: signed in as %+v", n, e)
			}
		} else if !ok {
			c.Notice(api.NoticeNoRecovery) // nobody has seen the recovery key
		}
		c.Ready()
		q := ann.SendTo(name, "hello")
		c.Sees(q.Room, "ann", "hello")
		c.Stop()
		if !pulled {
			t.Logf("%d transactions", n)
			break
		}
	}
	noNotices(t, ann)
}

func TestAFullDiskLosesNothing(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann := w.Client("ann")
	q := ann.SendTo("bob", "hi")
	ann.Sent(q)
	ann.Stop()
	ann.Plug = testenv.PullAfter(1, false)
	ann.Start()
	<-ann.Plug.Done()
	_, err := testenv.Ask(ann, api.SendMessage, api.Outgoing{Room: &q.Room, Text: "lost"})
	if err == nil || errors.Is(err, api.Fail(api.BadInput, "")) {
		t.Errorf("a store that does not work takes a message: %v", err)
	}
}
