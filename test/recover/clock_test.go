package recover

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/server"
	"github.com/veche-im/veche/wire"
)

// The clock of a server leaps a year ahead, a year back, and comes right again,
// under load and with starts on the way. Order and numbers do not follow the
// clock; what people were to have for a month is not deleted by it.
func TestAClockThatLeapsDestroysNothing(t *testing.T) {
	const year = 365 * 24 * time.Hour
	var ahead atomic.Int64
	w := testenv.New(t, testenv.WithUsers("ann", "bob", "cy"),
		testenv.WithClock(func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }),
		testenv.WithConfig(func(c *server.Config) { c.Uptime = nil })) // the clock leaps, time does not
	ann, bob, cy := w.Client("ann"), w.Client("bob"), w.Client("cy")
	q := ann.SendTo("bob", "first")
	ann.Sent(q)
	bob.Sees(q.Room, "ann", "first")
	path := filepath.Join(t.TempDir(), "note")
	if err := os.WriteFile(path, []byte(strings.Repeat("kept ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	ann.Sent(testenv.Do(ann, api.SendMessage, api.Outgoing{Room: &q.Room, Text: "a file", Files: []api.OutgoingFile{{Source: path, Name: "note"}}}))
	// What waits: a Welcome, an invite, a device that is to be let in, an upload.
	cy.Stop()
	group := ann.Group("Group", "bob", "cy")
	ann.Sent(ann.Send(group, "welcome"))
	invite := w.Invite()
	pending := w.SignIn("bob")
	loose := rawUpload(t, w.Site)

	said := 0
	talk := func() {
		t.Helper()
		var wg sync.WaitGroup
		for _, c := range []*testenv.Client{ann, bob} {
			wg.Go(func() {
				for i := range 5 {
					c.Send(q.Room, fmt.Sprintf("%s %d", c.Name, said+i))
				}
			})
		}
		wg.Wait()
		said += 5
		for _, c := range []*testenv.Client{ann, bob} {
			for _, from := range []string{"ann", "bob"} {
				for i := range said {
					text := fmt.Sprintf("%s %d", from, i)
					c.Until(text, func() bool { return count(c.Texts(q.Room), text) == 1 })
				}
			}
		}
	}
	talk()
	for _, leap := range []time.Duration{year, -year, 0} {
		ahead.Store(int64(leap))
		talk() // under the leap, and again after a start under it
		if err := w.Server.Sweep(context.Background()); err != nil {
			t.Fatal(err)
		}
		w.Restart()
		talk()
		if err := w.Server.Sweep(context.Background()); err != nil {
			t.Fatal(err)
		}
	}

	// Both saw one order, with rising numbers.
	a, b := ann.Timeline(q.Room), bob.Timeline(q.Room)
	order := func(list []api.Item) (texts []string) {
		last := int64(0)
		for _, i := range list {
			if i.Seq <= last && i.Seq > 0 {
				t.Errorf("%d is shown after %d", i.Seq, last)
			}
			last = max(last, i.Seq)
			texts = append(texts, i.Text)
		}
		return texts
	}
	if x, y := order(a), order(b); strings.Join(x, "\n") != strings.Join(y, "\n") {
		t.Errorf("ann has %q\nbob has %q", x, y)
	}
	// Receipts go on.
	ann.Until("all of it is with bob", func() bool {
		for _, i := range ann.Timeline(q.Room) {
			if i.Name == "ann" && i.Kind == api.ItemMessage && i.State != api.ItemDelivered {
				return false
			}
		}
		return true
	})

	cy.Start()
	cy.Open("Group")
	cy.Sees(group, "ann", "welcome")
	for _, c := range []*testenv.Client{ann, bob, cy} {
		if n := c.Notices(); len(n) > 0 {
			t.Errorf("%s is told %+v", c.Name, n)
		}
	}
	to := filepath.Join(t.TempDir(), "note")
	testenv.Do(bob, api.OpenFile, api.FileRef{Room: q.Room, ID: bob.Sees(q.Room, "ann", "a file").ID, Sink: to})
	if b, err := os.ReadFile(to); err != nil || !strings.HasPrefix(string(b), "kept kept") {
		t.Errorf("the file is %q, %v", b, err)
	}
	if h := pending.Connect().Hello; h.State != wire.DevicePending {
		t.Errorf("the device that waits is %v", h.State)
	}
	if !loose() {
		t.Error("an upload that had begun is gone")
	}
	var in wire.SignedIn
	if status, e := w.Post(wire.PathSignup, "", wire.SignUp{Token: invite, Name: "dan", Password: testenv.Password, Device: "d"}, &in); e != nil {
		t.Errorf("the invite is told %d %v", status, e)
	}
}

func count(list []string, one string) (n int) {
	for _, s := range list {
		if s == one {
			n++
		}
	}
	return n
}

// rawUpload begins a file that no message holds yet, and returns a function that
// says whether it is still there.
func rawUpload(t *testing.T, s *testenv.Site) (there func() bool) {
	t.Helper()
	p := s.AddPerson("uploader")
	var st wire.BlobState
	if status, e := s.Post(wire.PathBlobs, p.Token, wire.NewBlob{Size: 100}, &st); e != nil {
		t.Fatalf("begin an upload: %d %v", status, e)
	}
	return func() bool {
		status, _ := s.Do("GET", wire.PathBlob+st.Blob.String()+"/state", p.Token, "", nil, nil)
		return status == 200
	}
}
