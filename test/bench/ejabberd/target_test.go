package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/veche-im/veche/cmd/veche/load"
	"github.com/veche-im/veche/test/bench/ejabberd/xmpp"
)

// fake is a server of one stream that has one archive of so many messages.
type fake struct {
	t        *testing.T
	archive  int
	refusing string // a room that lets nobody in
}

// target is a target of which the server is the fake, with one person in some
// rooms.
func (f fake) target(rooms ...int) *target {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.t.Fatal(err)
	}
	var serving sync.WaitGroup
	over := make(chan struct{})
	f.t.Cleanup(func() { l.Close(); close(over); serving.Wait() })
	serving.Go(func() {
		if nc, err := l.Accept(); err == nil {
			serving.Go(func() { <-over; nc.Close() })
			f.serve(nc)
		}
	})
	return &target{site: &site{xmpp: l.Addr().String()}, of: [][]int{rooms}, body: []byte("body")}
}

func (f fake) serve(nc net.Conn) {
	const header = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='s'>"
	s := xmpp.NewScanner(nc, 64)
	for i := range 2 {
		if _, err := s.Header(); err != nil {
			f.t.Error(err)
			return
		}
		fmt.Fprint(nc, header+"<stream:features/>")
		if i == 0 {
			if _, err := s.Next(); err != nil {
				f.t.Error(err)
				return
			}
			fmt.Fprint(nc, "<success/>")
		}
	}
	for {
		b, err := s.Next()
		if err != nil {
			return // the client cuts the line
		}
		fmt.Fprint(nc, f.answer(string(b)))
	}
}

func (f fake) answer(stanza string) string {
	b := []byte(stanza)
	to, id := string(xmpp.Attr(b, "to")), string(xmpp.Attr(b, "id"))
	room, nick, _ := strings.Cut(to, "/")
	switch name := string(xmpp.Name(b)); {
	case id == "bind":
		return "<iq type='result' id='bind'/>"
	case name == "presence" && room == f.refusing && room != "":
		return "<presence type='error' from='" + to + "'><error/></presence>"
	case name == "presence" && nick != "":
		return "<presence from='" + to + "'/><message type='groupchat' from='" + room + "/u9.9' id='v7'><body/></message>" +
			"<message type='groupchat' from='" + room + "'><subject/></message>"
	case name == "message" && id == "v13":
		return "<message type='error' from='" + room + "' id='v13'><error/></message>"
	case name == "message" && id == "v14":
		return "</stream:stream>"
	case name == "message":
		return "<message type='groupchat' from='" + room + "/u9.9' id='" + id + "'><body/></message>" +
			"<message type='groupchat' from='" + room + "/u0.1' id='" + id + "'><body/></message>"
	case name == "iq":
		return f.page(stanza, id)
	}
	return ""
}

// page gives at most three messages, whatever is asked for.
func (f fake) page(stanza, id string) string {
	before := f.archive + 1
	if _, rest, ok := strings.Cut(stanza, "<before>"); ok && !strings.HasPrefix(rest, "<") {
		if _, err := fmt.Sscanf(rest, "%d<", &before); err != nil {
			f.t.Error(err)
		}
	}
	var b strings.Builder
	first := max(1, before-3)
	for n := first; n < before; n++ {
		fmt.Fprintf(&b, "<message from='r0@%s'><result queryid='%s' id='%d'><forwarded><message id='v%d'/></forwarded></result></message>", rooms, id, n, n)
	}
	fmt.Fprintf(&b, "<iq type='result' id='%s'><fin complete='%v'><set><first>%d</first></set></fin></iq>", id, first == 1, first)
	return b.String()
}

// diary writes down what it hears.
type diary chan string

func (d diary) Delivered(room int, n uint64) { d <- fmt.Sprintf("%d:%d", room, n) }
func (d diary) Acknowledged(n uint64)        { d <- fmt.Sprintf("took %d", n) }
func (d diary) Refused(n uint64, wait time.Duration, err error) {
	d <- fmt.Sprintf("refused %d %v", n, wait)
}
func (d diary) Ended(error) { d <- "ended" }

func (d diary) expect(t *testing.T, want ...string) {
	t.Helper()
	for _, w := range want {
		if got := <-d; got != w {
			t.Fatalf("heard %q, want %q", got, w)
		}
	}
}

func TestOnlyItsOwnMessageComingBackAcknowledges(t *testing.T) {
	d := make(diary, 16)
	c, err := fake{t: t}.target(0, 4).Connect(t.Context(), 0, d)
	if err != nil {
		t.Fatal(err)
	}
	d.expect(t, "0:7", "4:7") // heard while joining
	if err := c.Send(4, 12); err != nil {
		t.Fatal(err)
	}
	d.expect(t, "4:12", "4:12", "took 12")
	if err := c.Send(4, 13); err != nil {
		t.Fatal(err)
	}
	d.expect(t, "refused 13 0s")
	c.Close()
	d.expect(t, "ended")
}

func TestEndedComesOnceAndLast(t *testing.T) {
	d := make(diary, 16)
	c, err := fake{t: t}.target(0).Connect(t.Context(), 0, d)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Send(0, 14); err != nil {
		t.Fatal(err)
	}
	d.expect(t, "0:7", "ended")
	if _, err := c.CatchUp(t.Context(), []int{0}, 1); err == nil {
		t.Fatal("an archive was read after the stream's end")
	}
}

func TestConnectFailsWhereARoomIsClosed(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := fake{t: t, refusing: roomJID(4)}.target(0, 4).Connect(ctx, 0, make(diary, 16))
	if err == nil || ctx.Err() != nil {
		t.Fatalf("it joined a room that let nobody in: %v", err)
	}
}

func TestCatchUpReadsPageAfterPage(t *testing.T) {
	for _, tt := range []struct{ archive, last, want int }{
		{7, 50, 7}, // all there are: three pages
		{7, 5, 6},  // enough: this archive gives whole pages
		{0, 5, 0},
	} {
		d := make(diary, 64)
		target := fake{t: t, archive: tt.archive}.target(0)
		x, err := target.connect(t.Context(), 0, d)
		if err != nil {
			t.Fatal(err)
		}
		var found []uint64
		x.archived = func(n uint64) { found = append(found, n) }
		n, err := x.CatchUp(t.Context(), []int{0}, tt.last)
		if err != nil || n != tt.want {
			t.Errorf("%d of %d: %d came, %v; want %d", tt.last, tt.archive, n, err, tt.want)
		}
		slices.Sort(found)
		if got := slices.Compact(found); len(got) != tt.want {
			t.Errorf("%d of %d: %v came", tt.last, tt.archive, found)
		}
		x.Close()
	}
}

func TestRoomOfTakesOnlyOurRooms(t *testing.T) {
	for from, want := range map[string]string{
		"r12@conference.localhost/u3.4": "12 u3.4",
		"r12@conference.localhost":      "12 ",
		"r@conference.localhost/u":      "-1 ",
		"u1@localhost/x":                "-1 ",
		"r99999999999@x/u":              "-1 ",
		"r1":                            "-1 ",
	} {
		room, nick := roomOf([]byte(from))
		if got := fmt.Sprintf("%d %s", room, nick); got != want {
			t.Errorf("%s: %q, want %q", from, got, want)
		}
	}
}

func TestFamilyHasTheGrandchildren(t *testing.T) {
	cmd := exec.Command("sh", "-c", "sleep 60 & echo up; wait")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 2)); err != nil {
		t.Fatal(err)
	}
	d := &daemon{cmd: cmd, over: make(chan struct{})}
	go func() { _ = cmd.Wait(); close(d.over) }()
	if got := family(os.Getpid()); !slices.Contains(got, cmd.Process.Pid) {
		t.Errorf("%v are our family, without %d", got, cmd.Process.Pid)
	}
	pids := d.pids()
	if len(pids) != 2 {
		t.Errorf("%v are the shell's family, not two", pids)
	}
	d.kill()
	if !d.ended() {
		t.Error("it lives")
	}
}

func TestTableComparesWithTheFirst(t *testing.T) {
	table := table{servers: []string{"a", "b", "c"}}
	table.set("work", "figure", "a", 1500)
	table.set("work", "figure", "b", 500)
	table.say("work", "figure", "c", "cut off")
	table.set("work", "lost", "b", 12)
	var b strings.Builder
	table.print(&b)
	want := `| work | figure | a    | b           | c       |
|---   |---     |--:   |--:          |--:      |
| work | figure | 1500 | 500 (×0.33) | cut off |
|      | lost   | –    | 12          | –       |
`
	if b.String() != want {
		t.Errorf("printed\n%swant\n%s", &b, want)
	}
}

var (
	_ load.Events = diary(nil)
	_ crasher     = (*target)(nil)
	_ crasher     = (*ours)(nil)
)
