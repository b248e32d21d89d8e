package room

import (
	"context"
	"errors"
	"fmt"

	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/wire"
)

// welcome joins by the Welcome that waits on the server. false means that there
// is none that this device can open.
func (w joiner) welcome(ctx context.Context) (bool, error) {
	st, err := session.Call(ctx, w.cfg.Session, wire.RoomWelcome, wire.GetRoom{Room: w.id})
	if wire.CodeOf(err) == wire.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	g, used, err := w.openWelcome(ctx, &st)
	if err != nil {
		for _, mine := range []error{store.ErrDamaged, store.ErrClosed, store.ErrFull, store.ErrBusy} {
			if ctx.Err() != nil || errors.Is(err, mine) {
				return false, err // nothing is wrong with the Welcome
			}
		}
		w.cfg.Log.Warn("welcome does not open", "room", w.id, "err", err)
		return false, nil
	}
	if w.row.Seq > 0 && g.Epoch() <= w.row.Epoch {
		// Used before: to join by it once more would seal with keys of that epoch
		// that were used already.
		w.cfg.Log.Warn("welcome to an epoch that is over", "room", w.id, "epoch", g.Epoch())
		return false, nil
	}
	before, err := w.usedWelcome(ctx, g)
	if err != nil {
		return false, err
	}
	if before {
		// In another life of the site the room may have gone back behind it.
		w.cfg.Log.Warn("welcome that was used", "room", w.id, "epoch", g.Epoch())
		return false, nil
	}
	c, err := w.judge.vet(ctx, g)
	if err != nil {
		return false, err
	}
	w.out = true
	err = w.write(ctx, func(tx *store.Tx, row *store.Room) error {
		// Whoever added us again did so after we had left. A device that comes
		// in by itself may still have to ask: a leaving can fall with its epoch.
		if err := store.DeleteSetting(tx, leaveName(w.id)); err != nil {
			return err
		}
		if !used.LastResort {
			if err := store.DeleteKeyPackage(tx, used.Ref); err != nil {
				return err
			}
		} else if err := store.PutSetting(tx, welcomedName(w.id, g), []byte{1}); err != nil {
			return err
		}
		return w.joinedAt(tx, row, g, c, st.Seq, st.Head, wire.Now(w.cfg.Now()))
	})
	if err != nil {
		return false, err
	}
	w.g = g
	w.raiseTarget(st.LogSeq)
	_, err = session.Call(ctx, w.cfg.Session, wire.RoomJoined, wire.GetRoom{Room: w.id})
	return true, err
}

func (w joiner) openWelcome(ctx context.Context, st *wire.GroupState) (*group.Group, store.KeyPackage, error) {
	var m mls.Message
	var used store.KeyPackage
	if err := mls.Unmarshal(st.Welcome, &m); err != nil {
		return nil, used, err
	}
	if m.Welcome == nil {
		return nil, used, fmt.Errorf("%w: not a Welcome", policy.ErrMalformed)
	}
	err := w.cfg.Store.View(ctx, func(tx *store.Tx) error {
		for _, s := range m.Welcome.Secrets {
			var err error
			used, err = store.GetKeyPackage(tx, s.NewMember)
			if !errors.Is(err, store.ErrNone) {
				return err
			}
		}
		return fmt.Errorf("%w: no key package of ours", store.ErrNone)
	})
	if err != nil {
		return nil, used, err
	}
	var kp mls.KeyPackage
	if err := mls.Unmarshal(used.Package, &kp); err != nil {
		return nil, used, fmt.Errorf("%w: key package: %w", store.ErrDamaged, err)
	}
	secrets, err := group.ParseKeyPackageSecrets(used.Secrets)
	if err != nil {
		return nil, used, fmt.Errorf("%w: key package: %w", store.ErrDamaged, err)
	}
	g, err := group.Join(m.Welcome, kp, secrets, group.JoinOptions{Tree: st.Tree})
	return g, used, err
}

// usedWelcome reports whether this device has come in by the same Welcome before.
// The key package of last resort opens it again, and what is sealed with the
// group in it would take the keys that were taken then.
func (w joiner) usedWelcome(ctx context.Context, g *group.Group) (used bool, err error) {
	err = w.cfg.Store.View(ctx, func(tx *store.Tx) error {
		_, err := store.GetSetting(tx, welcomedName(w.id, g))
		used = err == nil
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		return err
	})
	return used, err
}

// welcomedName names a group by its epoch's secrets: where they are others, so are
// all keys.
func welcomedName(room wire.RoomID, g *group.Group) string {
	return fmt.Sprintf("welcomed %s %x", room, g.EpochAuthenticator())
}

// dropWelcome lets the server forget a Welcome that was used already, where the
// word of it was lost. The log must have been read to where the server stood
// when it spoke of the Welcome: only then it is not one by which this device
// comes in again after having been removed.
func (w joiner) dropWelcome(ctx context.Context) error {
	w.mu.Lock()
	s := w.server
	w.server = nil
	w.mu.Unlock()
	if s == nil || !s.Welcome || w.row.Seq < s.Seq {
		return nil
	}
	_, err := session.Call(ctx, w.cfg.Session, wire.RoomJoined, wire.GetRoom{Room: w.id})
	return err
}
