package media

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/pion/transport/v5"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/wire"
)

const (
	connectTime = 8 * time.Second        // for ICE and DTLS
	firstPause  = 250 * time.Millisecond // before joining anew, doubled up to …
	mostPause   = 4 * time.Second
	askTime     = 15 * time.Second // for one command
)

// Core is what a participant asks of the client core: package api.
type Core interface {
	// Call asks for the command called name; result is a pointer to its result.
	Call(ctx context.Context, name string, params, result any) error
	// Changed returns a channel that is closed when anything has changed.
	Changed() <-chan struct{}
}

// Config says what a Participant does. Core and Room are required.
type Config struct {
	Core       Core
	Room       wire.RoomID   // whose call is joined, or started
	Ring       bool          // the others, if the call is started
	Play       Source        // nil: nothing is said
	Redundancy int           // older frames in each packet (RED), 0 to 4
	Record     Recorder      // nil: nothing is recorded
	Time       time.Duration // after which it leaves; 0: when what it plays has ended, or with the call
	Audio      int           // slots for sound; 0 means 8
	Video      int           // slots for video
	Path       Path          // that alone is tried
	Net        transport.Net // for tests on a bad network; nil: the system's
	Log        *slog.Logger  // nil: nothing is logged

	// Told hears what happened, in words of ours: "joined", "connected",
	// "keys", "lost", "left". nil is nobody.
	Told func(what string)
	// Heard hears of every frame that opened; it must return at once. nil is
	// nobody.
	Heard func(Sender)
}

// Participant is one device in a call.
type Participant struct {
	cfg      Config
	keys     *keyring
	speaking *speaking
	hearing  *hearing
	start    time.Time

	mu     sync.Mutex // guards what follows
	call   api.Call
	names  map[wire.AccountID]string // of all who were in
	report Report
	fault  error // that ended a recording
}

// New checks cfg. The Participant does nothing until Run is called.
func New(cfg Config) (*Participant, error) {
	switch {
	case cfg.Core == nil:
		return nil, errors.New("media: no Core")
	case cfg.Room.IsZero():
		return nil, errors.New("media: no Room")
	case cfg.Redundancy < 0 || cfg.Redundancy > 4:
		return nil, fmt.Errorf("media: %d older frames in a packet", cfg.Redundancy)
	}
	if cfg.Audio == 0 {
		cfg.Audio = 8
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Told == nil {
		cfg.Told = func(string) {}
	}
	return &Participant{cfg: cfg, keys: newKeyring(), names: map[wire.AccountID]string{}}, nil
}

// Run joins the room's call, or starts it, and takes part until ctx ends, the
// time is over, what it plays has ended, or the call has. It can be called
// once. It leaves the call before it returns.
func (p *Participant) Run(ctx context.Context) (Report, error) {
	p.start = time.Now()
	p.hearing = newHearing(p.keys, p.cfg, p.broken)
	p.speaking = newSpeaking(p.keys, p.cfg.Play, p.cfg.Redundancy)
	call, err := p.begin(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("start the call: %w", err)
	}
	p.mu.Lock()
	p.call = call
	p.report.Call = call.ID
	p.mu.Unlock()

	run := ctx
	if p.cfg.Time > 0 {
		var stop context.CancelFunc
		run, stop = context.WithTimeout(ctx, p.cfg.Time)
		defer stop()
	}
	run, done := context.WithCancelCause(run)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := p.play(run); err != nil {
			done(err)
		}
	})
	err = p.stay(run)
	if err == nil {
		err = context.Cause(run)
	}
	done(nil)
	wg.Wait()
	return p.finish(ctx, err)
}

// begin starts the room's call or finds it, as soon as the server lets us.
func (p *Participant) begin(ctx context.Context) (api.Call, error) {
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		call, err := ask(ctx, p.cfg.Core, api.BeginCall, api.StartCall{Room: p.cfg.Room, Ring: p.cfg.Ring})
		if err == nil || api.FailureOf(err).Code != api.Busy {
			return call, err
		}
		select {
		case <-ctx.Done():
			return call, err
		case <-time.After(pause):
		}
	}
}

// errPlayed: what is played has ended.
var errPlayed = errors.New("played to the end")

// play waits until media flows and plays.
func (p *Participant) play(ctx context.Context) error {
	if err := p.speaking.run(ctx); err != nil {
		return fmt.Errorf("play: %w", err)
	}
	if ctx.Err() == nil && p.cfg.Time == 0 {
		return errPlayed
	}
	<-ctx.Done()
	return nil
}

// errOver: the device is out of the call for good.
type errOver string

func (e errOver) Error() string { return string(e) }

// stay keeps the device in the call, joining anew as often as need be.
func (p *Participant) stay(ctx context.Context) error {
	pause := firstPause
	for ctx.Err() == nil {
		began := time.Now()
		err := p.once(ctx)
		var over errOver
		if errors.As(err, &over) {
			return err
		}
		if ctx.Err() != nil {
			return nil // whatever was under way was cut off
		}
		if f := api.FailureOf(err); f.Code == api.NotFound {
			return errOver("ended")
		} else if f.Code == api.Unsupported || f.Code == api.NotAllowed || f.Code == api.BadInput {
			return err
		}
		p.cfg.Log.Info("media lost", "call", p.report.Call, "err", err)
		p.cfg.Told("lost")
		if time.Since(began) > 10*time.Second {
			pause = firstPause
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, mostPause)
	}
	return nil
}

// once joins, and returns when the connection is lost or the call is over.
func (p *Participant) once(ctx context.Context) error {
	pr, err := newPeer(p.cfg, func(_ string, t *track) { p.hearing.hear(t) })
	if err != nil {
		return err
	}
	defer pr.close()
	offer, err := pr.offer(ctx, false)
	if err != nil {
		return err
	}
	joined, err := ask(ctx, p.cfg.Core, api.JoinCall, api.CallOffer{Call: p.id(), Offer: offer})
	if err != nil {
		return fmt.Errorf("join: %w", err)
	}
	if err := p.keys.take(joined.Keys); err != nil {
		return err
	}
	p.note(joined.Call)
	p.mu.Lock()
	p.report.Number = joined.Number
	p.report.Joins++
	p.mu.Unlock()
	p.cfg.Told("joined")
	if err := pr.answer(joined.Answer); err != nil {
		return err
	}
	select {
	case <-pr.up:
	case <-pr.broken:
		return errors.New("no connection to the server's media port")
	case <-time.After(connectTime):
		return errors.New("no connection to the server's media port in time")
	case <-ctx.Done():
		return nil
	}
	p.connected()
	p.speaking.through(pr)
	defer p.speaking.through(nil)
	if _, err := ask(ctx, p.cfg.Core, api.SetCallState, api.OwnCallState{Call: p.id(), Muted: p.cfg.Play == nil}); err != nil {
		p.cfg.Log.Info("state not told", "err", err)
	}
	return p.watch(ctx, pr, &joined)
}

func (p *Participant) connected() {
	p.mu.Lock()
	if p.report.Connected == 0 {
		p.report.Connected = time.Since(p.start).Milliseconds()
	}
	p.mu.Unlock()
	p.cfg.Told("connected")
}

// watch follows the call and its keys while the connection holds.
func (p *Participant) watch(ctx context.Context, pr *peer, joined *api.JoinedCall) error {
	var shown []api.View
	for {
		changed := p.cfg.Core.Changed()
		err := p.look(ctx, joined)
		if err == nil {
			shown, err = p.show(ctx, pr.pictures(p.cfg.Audio), shown)
		}
		if err != nil {
			var over errOver
			if errors.As(err, &over) || ctx.Err() != nil {
				return err
			}
			p.cfg.Log.Debug("call not looked at", "err", err) // the server is away: media may go on
		}
		select {
		case <-changed:
		case <-pr.broken:
			return errors.New("connection to the server's media port lost")
		case <-ctx.Done():
			return nil
		}
	}
}

// pictureHeight is the place that we say a picture has, in pixels: large, so
// that the best layer comes that the network carries.
const pictureHeight = 720

// show asks for the screens and cameras that are on, as far as there are slots
// for them; before is what was asked last.
func (p *Participant) show(ctx context.Context, mids []string, before []api.View) ([]api.View, error) {
	p.mu.Lock()
	people := slices.Clone(p.call.People)
	p.mu.Unlock()
	views := []api.View{}
	add := func(q api.CallParticipant, source api.Source) {
		if len(views) < len(mids) {
			views = append(views, api.View{Mid: mids[len(views)], Number: q.Number, Source: source, Height: pictureHeight})
		}
	}
	for _, q := range people {
		if q.Screen && !q.Me {
			add(q, api.Screen)
		}
	}
	for _, q := range people {
		if q.Camera && !q.Me {
			add(q, api.Camera)
		}
	}
	if slices.Equal(views, before) {
		return before, nil
	}
	if _, err := ask(ctx, p.cfg.Core, api.ViewCall, api.CallView{Call: p.id(), Views: views}); err != nil {
		return before, fmt.Errorf("ask for pictures: %w", err)
	}
	return views, nil
}

// errLost: the server no longer knows this participant.
var errLost = errors.New("no longer a participant")

// look asks how the call and its keys stand.
func (p *Participant) look(ctx context.Context, joined *api.JoinedCall) error {
	calls, err := ask(ctx, p.cfg.Core, api.ListCalls, api.None{})
	if err != nil {
		return err
	}
	found := false
	for _, c := range calls.Calls {
		if c.ID != p.id() {
			continue
		}
		found = true
		if c.Ended {
			return errOver("ended")
		}
		p.note(c)
		if c.Me != 0 && c.Me != joined.Number {
			return errOver("replaced")
		}
		if c.Me == 0 {
			return errLost
		}
	}
	if !found {
		return errOver("ended")
	}
	keys, err := ask(ctx, p.cfg.Core, api.GetCallKeys, api.CallRef{Call: p.id()})
	if err != nil {
		return err
	}
	if keys.Join != joined.Keys.Join {
		return errOver("replaced") // since calls were listed; whoever joined counts from 0 under that number
	}
	before := p.keys.switches()
	if err := p.keys.take(keys); err != nil {
		return err
	}
	if p.keys.switches() != before {
		p.cfg.Told("keys")
	}
	return nil
}

// finish leaves the call and makes the report.
func (p *Participant) finish(ctx context.Context, why error) (Report, error) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), askTime)
	defer stop()
	var over errOver
	if !errors.As(why, &over) {
		if _, err := ask(ctx, p.cfg.Core, api.LeaveCall, api.CallRef{Call: p.id()}); err != nil {
			p.cfg.Log.Info("call not left", "err", err)
		}
	}
	p.cfg.Told("left")
	p.mu.Lock()
	r, names := p.report, maps.Clone(p.names)
	p.mu.Unlock()
	r.Heard = []Sender{}
	r.Sent = p.speaking.stats()
	r.KeyChanges = p.keys.switches()
	err := p.hearing.finish(&r, func(l api.CallLeaf) string { return names[l.Account] })
	p.mu.Lock()
	err = errors.Join(p.fault, err)
	p.mu.Unlock()
	switch {
	case errors.As(why, &over):
		r.Why = string(over)
	case errors.Is(why, context.DeadlineExceeded):
		r.Why = "time"
	case errors.Is(why, errPlayed):
		r.Why = "played"
	case errors.Is(why, context.Canceled), why == nil:
		r.Why = "stopped"
	default:
		return r, errors.Join(why, err)
	}
	return r, err
}

// note takes how the call stands.
func (p *Participant) note(c api.Call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.call = c
	for _, q := range c.People {
		if q.Name != "" {
			p.names[q.Account] = q.Name
		}
	}
}

// broken notes the first fault of a recording.
func (p *Participant) broken(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fault == nil {
		p.fault = fmt.Errorf("record: %w", err)
	}
}

func (p *Participant) id() wire.CallID {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.call.ID
}

// ask makes a command of package api typed again.
func ask[P, R any](ctx context.Context, core Core, c api.Command[P, R], params P) (R, error) {
	ctx, stop := context.WithTimeout(ctx, askTime)
	defer stop()
	var result R
	err := core.Call(ctx, c.Name, params, &result)
	return result, err
}
