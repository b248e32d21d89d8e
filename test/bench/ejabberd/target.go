package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/veche-im/veche/cmd/veche/load"
	"github.com/veche-im/veche/test/bench/ejabberd/xmpp"
	"github.com/veche-im/veche/wire"
)

// target is ejabberd as the works see it. It is a load.Target.
type target struct {
	archive archive
	site    *site
	of      [][]int // rooms of each person
	body    []byte
	conns   atomic.Int64 // that were made
}

func newTarget(a archive) *target { return &target{archive: a, body: body()} }

// body is a message's text: as sealed ones do in XMPP (XEP-0384), it looks like
// base64, with nothing to escape.
func body() []byte {
	b := make([]byte, load.MessageSize)
	for i := range b {
		b[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[(i*i*7+i*13)%64]
	}
	return b
}

// Name is Target's.
func (t *target) Name() string { return "ejabberd, " + t.archive.name }

func (t *target) promises() string { return t.archive.promises }

func person(p int) string  { return "u" + strconv.Itoa(p) }
func roomJID(r int) string { return "r" + strconv.Itoa(r) + "@" + rooms }

// quietRoom is how many members a room has at most for them to be told of one
// another's coming and going. Larger ones would need the square of that in
// stanzas before the work can begin; ejabberd's own default allows 200 members.
const quietRoom = 200

// Prepare is Target's.
func (t *target) Prepare(ctx context.Context, l load.Layout) (err error) {
	if t.site, err = install(ctx, t.archive); err != nil {
		return err
	}
	if err := t.site.start(ctx); err != nil {
		return err
	}
	t.of = l.RoomsOf()
	for p := range l.People + 1 {
		user := admin
		if p < l.People {
			user = person(p)
		}
		if err := t.site.call(ctx, "register", map[string]any{"user": user, "host": domain, "password": t.site.secret}); err != nil {
			return err
		}
	}
	for r, members := range l.Rooms {
		presence := "[moderator,participant,visitor]"
		if len(members) > quietRoom {
			presence = "[]"
		}
		err := t.site.call(ctx, "create_room_with_opts", map[string]any{
			"name": "r" + strconv.Itoa(r), "service": rooms, "host": domain,
			"options": []map[string]string{
				{"name": "presence_broadcast", "value": presence},
				{"name": "max_users", "value": "20000"},
			}})
		if err != nil {
			return err
		}
	}
	return t.admit(ctx, l)
}

// admit makes people members of their rooms.
func (t *target) admit(ctx context.Context, l load.Layout) error {
	c, err := xmpp.Dial(ctx, &net.Dialer{}, t.account(admin))
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, c.Close)()
	for r, members := range l.Rooms {
		jids := make([]string, len(members))
		for i, m := range members {
			jids[i] = person(m) + "@" + domain
		}
		if err := c.Write(xmpp.AppendMembers(nil, roomJID(r), "m"+strconv.Itoa(r), jids)); err != nil {
			return err
		}
		for {
			got, err := c.Next()
			if err != nil {
				return err
			}
			if string(xmpp.Name(got)) != "iq" {
				continue
			}
			if string(xmpp.Attr(got, "type")) != "result" {
				return fmt.Errorf("room %d takes no members: %.300s", r, got)
			}
			break
		}
	}
	return nil
}

func (t *target) account(user string) xmpp.Account {
	return xmpp.Account{Address: t.site.xmpp, Domain: domain, User: user, Password: t.site.secret}
}

// Connect is Target's.
func (t *target) Connect(ctx context.Context, p int, e load.Events) (load.Conn, error) {
	c, err := t.connect(ctx, p, e)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (t *target) connect(ctx context.Context, p int, e load.Events) (*conn, error) {
	// Many addresses, so that ports do not run out.
	from := &net.TCPAddr{IP: net.IPv4(127, 0, 1+byte(p/10000), 1)}
	x, err := xmpp.Dial(ctx, &net.Dialer{LocalAddr: from}, t.account(person(p)))
	if err != nil {
		return nil, err
	}
	// A nick of its own tells the connection which messages are its own.
	c := &conn{x: x, me: person(p) + "." + strconv.FormatInt(t.conns.Add(1), 10), body: t.body, events: e, joined: make(chan error, 1), toJoin: len(t.of[p]), pages: map[string]*page{}}
	c.beat = time.AfterFunc(pause(), c.heartbeat)
	go c.run()
	for _, r := range t.of[p] {
		if err := x.Write(xmpp.AppendJoin(nil, roomJID(r), c.me)); err != nil {
			x.Close()
			return nil, err
		}
	}
	if len(t.of[p]) == 0 {
		return c, nil
	}
	select {
	case err = <-c.joined:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		x.Close()
		return nil, fmt.Errorf("join as %s: %w", c.me, err)
	}
	return c, nil
}

// Processes is Target's.
func (t *target) Processes() []int { return t.site.processes() }

// again is crasher's, for ejabberd and its archive's server.
func (t *target) again(ctx context.Context, kill bool) error {
	if kill {
		t.site.kill()
	}
	t.site.stop()
	if err := t.site.start(ctx); err != nil {
		return err
	}
	return t.site.process.until(ctx, func() error { return t.reads(ctx) })
}

// reads has the first person look into the archive of its first room. In the
// first moments after its start ejabberd has no connection to an archive in SQL:
// it delivers what is said all the same, and does not store it.
func (t *target) reads(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var none witness
	c, err := t.connect(ctx, 0, &none)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.CatchUp(ctx, t.of[0][:1], 1)
	return err
}

// watch is what the archive of a room gives its member.
func (t *target) watch(_ context.Context, room, member int) (kept, error) {
	return func(ctx context.Context) (map[uint64]int, error) {
		var none witness
		c, err := t.connect(ctx, member, &none)
		if err != nil {
			return nil, err
		}
		defer c.Close()
		found := map[uint64]int{}
		c.archived = func(n uint64) { found[n]++ }
		_, err = c.CatchUp(ctx, []int{room}, 1<<30)
		return found, err
	}, nil
}

// Close is Target's.
func (t *target) Close() error {
	if t.site == nil {
		return nil
	}
	return t.site.remove()
}

// conn is one person's stream.
type conn struct {
	x      *xmpp.Conn
	me     string
	body   []byte
	events load.Events
	joined chan error // one value
	toJoin int        // rooms that have not answered; run's alone
	beat   *time.Timer

	mu       sync.Mutex // guards what follows
	asked    uint64
	archived func(n uint64)   // is told of what CatchUp reads, unless nil
	pages    map[string]*page // questions to archives, by id
	ended    error
}

// page is an archive's answer, with what earlier ones brought.
type page struct {
	count    int        // messages
	first    string     // the archive's id of the oldest
	complete bool       // there are none older
	done     chan error // one value; nil when it was taken
}

// Send is Conn's.
func (c *conn) Send(room int, n uint64) error {
	b := make([]byte, 0, load.MessageSize+128)
	return c.x.Write(xmpp.AppendMessage(b, roomJID(room), "v"+strconv.FormatUint(n, 10), c.body))
}

// Close is Conn's.
func (c *conn) Close() { c.x.Close() }

// heartbeat asks the server whether it is there (XEP-0199), as often as a device
// of ours does.
func (c *conn) heartbeat() {
	const ping = "<iq type='get' id='beat'><ping xmlns='urn:xmpp:ping'/></iq>"
	if c.x.Write([]byte(ping)) == nil {
		c.beat.Reset(pause())
	}
}

func pause() time.Duration { return wire.Heartbeat*9/10 + rand.N(wire.Heartbeat/10) }

// run hears what the server says until the stream ends.
func (c *conn) run() {
	var err error
	for err == nil {
		var stanza []byte
		if stanza, err = c.x.Next(); err == nil {
			err = c.hear(stanza)
		}
	}
	c.x.Close()
	c.beat.Stop()
	c.mu.Lock()
	c.ended = err
	for id, p := range c.pages {
		p.done <- err
		delete(c.pages, id)
	}
	c.mu.Unlock()
	select {
	case c.joined <- err:
	default:
	}
	c.events.Ended(err)
}

// hear takes one stanza.
func (c *conn) hear(stanza []byte) error {
	switch string(xmpp.Name(stanza)) {
	case "message":
		return c.message(stanza)
	case "presence":
		if string(xmpp.Attr(stanza, "type")) == "error" {
			return fmt.Errorf("the server refuses a room: %.300s", stanza)
		}
	case "iq":
		c.answer(stanza)
	case "stream:error":
		return fmt.Errorf("the server ends the stream: %.300s", stanza)
	}
	return nil
}

// message takes what a room or an archive says.
func (c *conn) message(stanza []byte) error {
	id, room, nick := xmpp.Attr(stanza, "id"), -1, []byte(nil)
	if from := xmpp.Attr(stanza, "from"); len(from) > 0 {
		room, nick = roomOf(from)
	}
	switch kind := string(xmpp.Attr(stanza, "type")); {
	case kind == "error":
		if n, ok := number(id); ok {
			c.events.Refused(n, 0, fmt.Errorf("%.600s", stanza))
			return nil
		}
		return fmt.Errorf("the server answers %.300s", stanza)
	case kind == "groupchat" && room >= 0 && len(nick) > 0:
		n, ok := number(id)
		if !ok {
			c.events.Delivered(room, 0)
			return nil
		}
		c.events.Delivered(room, n)
		if string(nick) == c.me {
			c.events.Acknowledged(n)
		}
	case kind == "groupchat": // the room's subject ends the joining (XEP-0045 §7.2.15)
		if c.toJoin--; c.toJoin == 0 {
			c.joined <- nil
		}
	default:
		if q := xmpp.PageOf(stanza); q != nil {
			c.mu.Lock()
			if p := c.pages[string(q)]; p != nil {
				p.count++
				if n, ok := number(xmpp.Attr(xmpp.Inner(stanza), "id")); ok && c.archived != nil {
					c.archived(n)
				}
			}
			c.mu.Unlock()
		}
	}
	return nil
}

// answer takes what ends a page.
func (c *conn) answer(stanza []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := string(xmpp.Attr(stanza, "id"))
	p := c.pages[id]
	if p == nil {
		return
	}
	delete(c.pages, id)
	p.first, p.complete = xmpp.Page(stanza)
	if string(xmpp.Attr(stanza, "type")) != "result" {
		p.done <- fmt.Errorf("the archive answers %.300s", stanza)
		return
	}
	p.done <- nil
}

// CatchUp is Conn's. All rooms are asked at once, and those that have more once
// more.
func (c *conn) CatchUp(ctx context.Context, of []int, last int) (total int, err error) {
	answers := make([]*page, len(of))
	left := len(of)
	for i := range answers {
		answers[i] = &page{}
	}
	for left > 0 {
		var b []byte
		for i, a := range answers {
			if !a.complete {
				if answers[i], b, err = c.ask(b, of[i], last, a); err != nil {
					return total, err
				}
			}
		}
		if err := c.x.Write(b); err != nil {
			return total, err
		}
		left = 0
		for _, a := range answers {
			if err := a.wait(ctx); err != nil {
				return total, err
			}
			if a.complete = a.complete || a.count >= last; !a.complete {
				left++
			}
		}
	}
	for _, a := range answers {
		total += a.count
	}
	return total, nil
}

// largestPage is what ejabberd's archive gives at most.
const largestPage = 250

// ask appends the question that follows what is known of a room.
func (c *conn) ask(b []byte, room, last int, known *page) (*page, []byte, error) {
	p := &page{count: known.count, done: make(chan error, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended != nil {
		return p, b, c.ended
	}
	c.asked++
	id := "p" + strconv.FormatUint(c.asked, 10)
	c.pages[id] = p
	return p, xmpp.AppendPage(b, roomJID(room), id, min(last-p.count, largestPage), known.first), nil
}

// wait is over when the page has come.
func (p *page) wait(ctx context.Context) error {
	if p.done == nil {
		return nil // it came in an earlier round
	}
	select {
	case err := <-p.done:
		p.done = nil
		if err == nil && p.first == "" && !p.complete {
			err = errors.New("the archive's page has no beginning")
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// number is the n of a message that Send sent.
func number(id []byte) (uint64, bool) {
	if len(id) < 2 || id[0] != 'v' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(id[1:]), 10, 64)
	return n, err == nil
}

// roomOf takes an occupant's address apart; the room is -1 if it is not ours.
func roomOf(from []byte) (room int, nick []byte) {
	if len(from) < 2 || from[0] != 'r' {
		return -1, nil
	}
	i := 1
	for ; i < len(from) && from[i] >= '0' && from[i] <= '9'; i++ {
		room = room*10 + int(from[i]-'0')
	}
	if i == 1 || i > 9 || i == len(from) || from[i] != '@' {
		return -1, nil
	}
	for ; i < len(from); i++ {
		if from[i] == '/' {
			return room, from[i+1:]
		}
	}
	return room, nil
}
