package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/veche-im/veche/client"
	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/link/ws"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/client/store/native"
	"github.com/veche-im/veche/wire"
)

// core is the client core of a profile: in this process (local), or in the one
// that has the profile open and lets others in (remote).
type core interface {
	call(ctx context.Context, name string, params any, result any) error
	waitOnline(ctx context.Context) error
	waitCaughtUp(ctx context.Context) error
	waitSent(ctx context.Context, ref api.ItemRef) (api.Item, error)

	// changed returns a channel that is closed when rooms or messages have
	// changed; ended gets why the core is no more.
	changed() <-chan struct{}
	ended() <-chan error
	close()
}

// profile is one device of one person, open for the time of a command.
type profile struct {
	core
	t   *term
	dir string
}

// openProfile opens the profile of a device that was signed in.
func openProfile(ctx context.Context, t *term, dir string) (*profile, error) {
	s, err := readServer(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, api.Fail(api.SignedOut, "%s", dir)
	}
	if err != nil {
		return nil, err
	}
	return openWith(ctx, t, dir, s)
}

// openWith opens the profile in dir, which speaks to s.
func openWith(ctx context.Context, t *term, dir string, s servedBy) (*profile, error) {
	if r, err := attach(dir); err == nil {
		return &profile{r, t, dir}, nil
	}
	db, err := native.Open(ctx, dir)
	if errors.Is(err, store.ErrBusy) {
		if r, err := attach(dir); err == nil { // it began while we waited
			return &profile{r, t, dir}, nil
		}
	}
	if err != nil {
		return nil, err
	}
	l, err := runLocal(s, db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &profile{l, t, dir}, nil
}

// do asks p's core for c.
func do[P, R any](ctx context.Context, p *profile, c api.Command[P, R], params P) (R, error) {
	var result R
	err := p.call(ctx, c.Name, params, &result)
	return result, err
}

// needServer waits for the server.
func (p *profile) needServer(ctx context.Context) error { return p.waitOnline(ctx) }

// catchUpOnline reads all that is new.
func (p *profile) catchUpOnline(ctx context.Context) error {
	if err := p.waitCaughtUp(ctx); err != nil {
		return err
	}
	p.tellRestored(ctx)
	p.flush(ctx)
	return nil
}

// restoredWords are for the notices of a restored server.
var restoredWords = map[api.NoticeCode]string{
	api.NoticeRestored: "The server was restored from a backup. What was written after it is sent again by the devices that wrote it.",
	api.NoticeBack:     "People are in a conversation whom this device has not seen come in: the server was restored, or this device had to join again. Nothing is sent there until they are removed, or you accept them by name (veche room accept):",
	api.NoticeMissing:  "A restore of the server has lost that people were added to a conversation. An owner can add them again:",
}

// tellRestored says once what a restore of the server has done.
func (p *profile) tellRestored(ctx context.Context) {
	list, err := do(ctx, p, api.ListNotices, api.None{})
	if err != nil {
		return // the command itself will meet the same trouble and say so
	}
	for _, n := range list.Notices {
		words, ok := restoredWords[n.Code]
		if !ok {
			continue
		}
		p.t.note("%s (%s)", words, n.Text)
		if _, err := do(ctx, p, api.DismissNotice, api.NoticeRef{ID: n.ID}); err != nil {
			return
		}
	}
}

// broughtBack says who is in a conversation without having been seen to come, and what
// to do about it.
func broughtBack(r api.Room) string {
	var names, args []string
	for _, b := range r.Back {
		names = append(names, b.Name)
		args = append(args, quoted(b.Name))
	}
	who := r.ID.String() + " " + strings.Join(args, " ")
	return "This device has not seen who let them in: " + strings.Join(names, ", ") +
		".\nNothing is sent here until you say that they may read it: veche room accept " + who +
		"\nor an owner takes them out: veche room remove " + who
}

// quoted is a word that a shell takes as it is: people choose their names.
func quoted(s string) string {
	plain := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_-.", r) }
	if s != "" && s[0] != '-' && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// catchUp reads all that is new if the server can be reached; if not, it says
// so, and what is stored here is what there is to see.
func (p *profile) catchUp(ctx context.Context) error {
	err := p.catchUpOnline(ctx)
	if errors.Is(err, api.Fail(api.Offline, "")) {
		p.t.note("The server cannot be reached: this is what is stored here.")
		return nil
	}
	return err
}

// settled waits until what a command changed is on the server.
func (p *profile) settled(ctx context.Context) error { return p.catchUp(ctx) }

// flushTime is how long a command whose job is another one waits for older
// messages that still have to leave.
const flushTime = 10 * time.Second

// flush lets messages leave that earlier commands could not send. What does not
// make it in time waits for the next command.
func (p *profile) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, flushTime)
	defer cancel()
	rooms, err := do(ctx, p, api.ListRooms, api.None{})
	if err != nil {
		return // the command itself will meet the same trouble and say so
	}
	for _, room := range rooms.Rooms {
		if room.Queued == 0 {
			continue
		}
		if len(room.Back) > 0 {
			p.t.note("%s: %s", room.Title, broughtBack(room))
			continue
		}
		page, err := do(ctx, p, api.GetTimeline, api.Window{Room: room.ID, Limit: 200})
		if err != nil {
			return
		}
		for _, item := range page.Items {
			if item.Mine && item.State == api.ItemSaved {
				if _, err := p.waitSent(ctx, api.ItemRef{Room: room.ID, ID: item.ID}); err != nil {
					p.t.note("A message to %s has not left yet: %s", room.Title, sentence(err))
				}
			}
		}
	}
}

// findRoom finds a room in what is stored, and asks the server only for what is
// not.
func (p *profile) findRoom(ctx context.Context, name string) (api.Room, error) {
	room, err := p.roomNamed(ctx, name)
	if err == nil {
		return room, nil
	}
	if err := p.catchUp(ctx); err != nil {
		return api.Room{}, err
	}
	return p.roomNamed(ctx, name)
}

// sent waits until the server has a message on disk, over lost connections, for
// as long as wait. A message that still waits then is Queued, with the error
// that says why.
func (p *profile) sent(ctx context.Context, q api.Queued, wait time.Duration) (sentRow, error) {
	row := sentRow{Room: q.Room, ID: q.ID}
	deadline := time.Now().Add(wait)
	for told := wait <= 0; ; told = true {
		item, err := p.waitSent(ctx, api.ItemRef(q))
		if err == nil {
			row.Seq = item.Seq
			// The other person may have made the direct room first: then the
			// message went there.
			at, err := do(ctx, p, api.GetRoom, api.RoomRef{Room: q.Room})
			if err != nil {
				return row, err
			}
			row.Room = at.Room.ID
			return row, nil
		}
		full := item.State == api.ItemSaved && item.Fail != "" // or too busy
		switch f := api.FailureOf(err); {
		case ctx.Err() != nil:
			row.Queued = true
			return row, api.Fail(api.Cancelled, "the message is stored here, and leaves with the next command that reaches the server unless it has left")
		case f.Code == api.Held:
			row.Queued = true
			room, e := do(ctx, p, api.GetRoom, api.RoomRef{Room: q.Room})
			if e != nil {
				return row, e
			}
			p.t.note("%s", broughtBack(room.Room))
			return row, err
		case f.Code != api.Offline && !full:
			return row, err
		}
		if time.Now().After(deadline) {
			row.Queued = true
			if full {
				return row, api.Fail(item.Fail, "the server cannot take the message now; it is stored here and leaves with the next command that finds the server able to")
			}
			return row, api.Fail(api.Offline, "the message is stored here and leaves with the next command that reaches the server")
		}
		switch {
		case told:
		case full:
			p.t.note("The server's disk is full, or it has too much to do. The message is stored here; to interrupt loses nothing.")
		default:
			p.t.note("The server cannot be reached. The message is stored here; to interrupt loses nothing.")
		}
		select {
		case <-ctx.Done(): // said above
		case <-time.After(retryPause):
		}
	}
}

const retryPause = 200 * time.Millisecond

// servedBy is whom a profile speaks to, in the file server.json of the profile.
type servedBy struct {
	URL string `json:"url"`
	CA  []byte `json:"ca,omitempty"` // the authority (DER) that alone may vouch for it; none: the system's
}

const serverFile = "server.json"

func readServer(dir string) (servedBy, error) {
	var s servedBy
	b, err := os.ReadFile(filepath.Join(dir, serverFile))
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("read %s: %w", filepath.Join(dir, serverFile), err)
	}
	return s, nil
}

// write replaces the file whole, so that a crash leaves the old or the new one.
func (s servedBy) write(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	b, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".server-*")
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return os.Rename(f.Name(), filepath.Join(dir, serverFile))
}

// local is a core in this process.
type local struct {
	c    *client.Client
	db   *store.DB
	stop context.CancelFunc
	end  chan error // gets what Run returned
	bell bell
}

func runLocal(s servedBy, db *store.DB) (*local, error) {
	l, err := ws.New(ws.Config{URL: s.URL, CA: s.CA, Agent: "veche/" + version})
	if err != nil {
		return nil, err
	}
	lc := &local{db: db, end: make(chan error, 1)}
	lc.c, err = client.New(client.Config{
		Link: l, Store: db, Version: version,
		Emit:       func(string, any) { lc.bell.ring() },
		OpenSource: openSource,
		CreateSink: createSink,
		Log:        clientLog(),
	})
	if err != nil {
		return nil, err
	}
	// The core outlives the command's context: what was begun is ended by close,
	// so that an interrupt cuts no transaction short.
	ctx, stop := context.WithCancel(context.Background())
	lc.stop = stop
	go func() { lc.end <- lc.c.Run(ctx) }()
	return lc, nil
}

// clientLog is silent unless VECHE_LOG is set: results and sentences are what
// the person asked for.
func clientLog() *slog.Logger {
	if os.Getenv("VECHE_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (l *local) call(ctx context.Context, name string, params, result any) error {
	raw, err := json.Marshal(params)
	if err != nil {
		return err
	}
	answer, failure := l.c.Mux().Call(ctx, name, raw)
	if failure != nil {
		return failure
	}
	return json.Unmarshal(answer, result)
}

func (l *local) waitOnline(ctx context.Context) error   { return l.c.WaitOnline(ctx) }
func (l *local) waitCaughtUp(ctx context.Context) error { return l.c.WaitCaughtUp(ctx) }
func (l *local) waitSent(ctx context.Context, r api.ItemRef) (api.Item, error) {
	return l.c.WaitSent(ctx, r.Room, r.ID)
}
func (l *local) changed() <-chan struct{} { return l.bell.next() }
func (l *local) ended() <-chan error      { return l.end }

func (l *local) close() {
	l.stop()
	<-l.end
	l.db.Close()
}

// itemAt returns the message of a number.
func (p *profile) itemAt(ctx context.Context, room wire.RoomID, seq int64) (api.Item, error) {
	items, err := p.itemsAfter(ctx, room, seq-1)
	if err != nil {
		return api.Item{}, err
	}
	for _, item := range items {
		if item.Seq == seq && item.Kind == api.ItemMessage {
			return item, nil
		}
	}
	return api.Item{}, fmt.Errorf("there is no message %d here", seq)
}
