package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/link"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/e2ee/identity"
	"github.com/veche-im/veche/wire"
)

// entryWait is how long sign-up and sign-in wait for the connection that
// completes them.
const entryWait = time.Minute

// entry is a sign-up or sign-in that waits for the device to be let in, or to
// know that somebody must let it in.
type entry struct {
	done chan struct{}
	res  api.Entered
	err  error
}

// finish answers a sign-in that waits, and reports whether one does.
func (a *Account) finish(p api.Phase, recovery string, err error) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.entry == nil {
		return false
	}
	a.entry.res, a.entry.err = api.Entered{Phase: p, RecoveryKey: recovery}, err
	close(a.entry.done)
	a.entry = nil
	return true
}

// Site asks what the server says of itself.
func (a *Account) Site(ctx context.Context) (api.Site, error) {
	var s wire.Site
	if err := a.http(ctx, "GET", wire.PathSite, "", nil, &s); err != nil {
		return api.Site{}, err
	}
	return api.Site{Org: s.Org, Ready: s.Ready, Version: s.Version}, nil
}

// CheckLink asks what a link is good for.
func (a *Account) CheckLink(ctx context.Context, l api.Link) (api.LinkInfo, error) {
	var info wire.LinkInfo
	if err := a.http(ctx, "POST", wire.PathLink, "", wire.Link{Token: l.Token}, &info); err != nil {
		return api.LinkInfo{}, err
	}
	return api.LinkInfo{Kind: info.Kind, Org: info.Org, Name: info.Name}, nil
}

// SignUp makes an account from a link, with this as its first device.
func (a *Account) SignUp(ctx context.Context, p api.SignUp) (api.Entered, error) {
	path := wire.PathSignup
	if p.Org != "" {
		path = wire.PathSetup
	}
	req := wire.SignUp{Token: p.Token, Org: p.Org, Name: p.Name, Password: p.Password, Device: p.Device, Cookie: a.cfg.Link.Cookie()}
	return a.enter(ctx, path, "", req, p.Device)
}

// SignIn opens a session for this device: it goes on with the one that ended,
// comes back as the device that it was where a restored site has lost that, or is
// a new one.
func (a *Account) SignIn(ctx context.Context, p api.SignIn) (api.Entered, error) {
	if e, ok, err := a.revive(ctx, p); ok || err != nil {
		return e, err
	}
	again, err := a.again(ctx)
	if err != nil {
		return api.Entered{}, err
	}
	req := wire.SignIn{Name: p.Name, Password: p.Password, Device: p.Device, Cookie: a.cfg.Link.Cookie(), Again: again}
	return a.enter(ctx, wire.PathSignin, p.Name, req, p.Device)
}

// enter signs in as somebody of a name, empty for a new account, where nobody else
// is at home.
func (a *Account) enter(ctx context.Context, path, name string, req any, device string) (api.Entered, error) {
	if _, ok := a.Session(); ok {
		return api.Entered{}, api.Fail(api.BadInput, "this device is signed in already")
	}
	forget, err := a.toForget(ctx)
	if err != nil {
		return api.Entered{}, err
	}
	if self, had := a.Self(); had && !forget && !sameName(name, self.Name) {
		return api.Entered{}, occupied(self.Name)
	}
	return a.enterWith(ctx, path, "", req, device)
}

// enterWith is enter, with a session that the device may have had before: if that
// is the one which is answered, it goes on.
func (a *Account) enterWith(ctx context.Context, path, token string, req any, device string) (api.Entered, error) {
	keys, err := identity.NewDeviceKeys()
	if err != nil {
		return api.Entered{}, err
	}
	var in wire.SignedIn
	if err := a.http(ctx, "POST", path, token, req, &in); err != nil {
		if wire.CodeOf(err) == wire.Guessable {
			return api.Entered{}, ofNew(err, "password")
		}
		return api.Entered{}, err
	}
	self, had := a.Self()
	same := had && self.Account == in.Account && self.Device == in.Device
	if same && in.Token == "" && (in.State != wire.DevicePending || self.State == wire.DevicePending) {
		return a.goOn(ctx)
	}
	e := &entry{done: make(chan struct{})}
	a.mu.Lock()
	a.entry = e
	a.mu.Unlock()
	if same {
		err = a.resume(ctx, in, device)
	} else {
		err = a.settleIn(ctx, in, keys, device)
	}
	if errors.Is(err, api.Fail(api.Occupied, "")) && a.http(ctx, "POST", wire.PathSignout, in.Token, nil, nil) != nil {
		a.cfg.Log.Warn("a session that nobody has stays open on the server", "device", in.Device)
	}
	if err != nil {
		a.finish("", "", err)
		return api.Entered{}, err
	}
	t := time.NewTimer(entryWait)
	defer t.Stop()
	select {
	case <-e.done:
		return e.res, e.err
	case <-t.C:
		return api.Entered{}, api.Fail(api.Offline, "signed in, but the server cannot be reached to go on")
	case <-ctx.Done():
		return api.Entered{}, ctx.Err()
	}
}

// occupied is the refusal to put another account in the place of what is stored
// here, which is name's: its keys may be the last that there are.
func occupied(name string) error {
	return &api.Failure{Code: api.Occupied, Field: "name", Text: "what is stored here is that of " + name}
}

// sameName reports whether two names are one person's, as the server compares them
// but for rare forms of letters.
func sameName(a, b string) bool {
	plain := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	return strings.EqualFold(plain(a), plain(b))
}

// settleIn stores the session. The timelines of the same account are kept; its
// rooms are joined anew, as the device is a new one. Those of another account stay
// too, unless they are to be forgotten, and then it is Occupied: a server that was
// set up anew has other people under the same names.
func (a *Account) settleIn(ctx context.Context, in wire.SignedIn, keys *identity.DeviceKeys, device string) error {
	secret, err := keys.Export()
	if err != nil {
		return err
	}
	err = a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		forget, err := toForget(tx)
		if err != nil {
			return err
		}
		was, err := store.GetSelf(tx)
		switch {
		case errors.Is(err, store.ErrNone):
		case err != nil:
			return err
		case forget:
			if err := store.Wipe(tx); err != nil {
				return err
			}
		case was.Account != in.Account:
			return occupied(was.Name)
		default:
			if err := succeed(tx, was.Device); err != nil {
				return err
			}
		}
		self := store.Self{
			Account: in.Account, Device: in.Device, State: wire.DevicePending, Name: in.Name,
			DeviceName: device, Server: a.cfg.Link.Origin(),
		}
		if err := store.PutSecret(tx, store.SecretKeys, secret); err != nil {
			return err
		}
		return begin(tx, self, in.Token)
	})
	if err != nil {
		return err
	}
	return a.Load(ctx)
}

// succeed makes the store ready for a new device of the same account: what
// belonged to the old one's leaves goes, what was read stays.
func succeed(tx *store.Tx, former wire.DeviceID) error {
	if err := store.PutSetting(tx, settingFormer, former[:]); err != nil {
		return err
	}
	if err := store.DeleteKeyPackages(tx, 1<<52); err != nil {
		return err
	}
	rooms, err := store.Rooms(tx)
	if err != nil {
		return err
	}
	for _, m := range rooms {
		if err := store.DropMLS(tx, m.ID); err != nil {
			return err
		}
		if m.State == store.RoomOpen {
			m.State = store.RoomJoining
			if err := store.PutRoom(tx, m); err != nil {
				return err
			}
		}
	}
	return nil
}

// SignOut ends the session on the server. With forget the device is taken out
// of the account first; the caller wipes the store then, after all that uses it
// has stopped. Without, what is stored stays readable here.
func (a *Account) SignOut(ctx context.Context, forget bool) error {
	self, ok := a.Self()
	if !ok {
		return api.Fail(api.SignedOut, "nobody is signed in")
	}
	token, live := a.Session()
	if live {
		gone := false
		if forget && self.State == wire.DeviceActive {
			err := a.Revoke(ctx, self.Device)
			if err != nil {
				a.cfg.Log.Warn("signing out without removing the device", "err", err)
			}
			gone = err == nil
		}
		if !gone {
			if err := a.http(ctx, "POST", wire.PathSignout, token, nil, nil); err != nil && !forget && api.FailureOf(err).Code != api.SignedOut {
				return err
			}
		}
	}
	return a.end(ctx, forget)
}

// http makes a plain request with JSON both ways.
func (a *Account) http(ctx context.Context, method, path, token string, in, out any) error {
	r := link.Request{Method: method, Path: path, Token: token}
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode %s: %w", path, err)
		}
		r.Body = b
	} else if method == "POST" {
		r.Body = []byte("{}")
	}
	res, err := a.cfg.Link.Do(ctx, r)
	if err != nil {
		return err
	}
	if !res.OK() {
		return link.Refusal(&res)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(res.Body, out); err != nil {
		return fmt.Errorf("answer to %s: %w: %w", path, link.ErrUnreachable, err)
	}
	return nil
}
