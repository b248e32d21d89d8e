package httpapi

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/device"
	"github.com/veche-im/veche/wire"
)

// blobID reads the id in the path. What is none is as unknown as any other.
func blobID(c *call) (id wire.BlobID, err error) {
	if err := id.UnmarshalText([]byte(c.r.PathValue("id"))); err != nil {
		return id, authz.ErrDenied
	}
	return id, nil
}

func (a *API) newBlob(c *call, p wire.NewBlob) (wire.BlobState, error) {
	return a.cfg.Blobs.Create(c.r.Context(), c.actor(), p.Size)
}

func (a *API) appendBlob(c *call) error {
	id, err := blobID(c)
	if err != nil {
		return err
	}
	offset, err := strconv.ParseInt(c.r.URL.Query().Get("offset"), 10, 64)
	if err != nil || offset < 0 {
		return wire.Refuse(wire.BadRequest, "offset says where the bytes belong")
	}
	st, err := a.cfg.Blobs.Append(c.r.Context(), c.actor(), id, offset, &arriving{c.r.Body, a.watch(c)})
	if wire.CodeOf(err) == wire.Conflict {
		refuseWith(c, &wire.Error{Code: wire.Conflict}, struct {
			Code wire.Code `json:"code"`
			wire.BlobState
		}{wire.Conflict, st})
		return nil
	}
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, st)
}

func (a *API) blobState(c *call) (wire.BlobState, error) {
	id, err := blobID(c)
	if err != nil {
		return wire.BlobState{}, err
	}
	return a.cfg.Blobs.State(c.r.Context(), c.actor(), id)
}

func (a *API) deleteBlob(c *call) (nothing, error) {
	id, err := blobID(c)
	if err != nil {
		return nothing{}, err
	}
	return nothing{}, a.cfg.Blobs.Delete(c.r.Context(), c.actor(), id)
}

// readBlob gives sealed bytes. They are a stranger's: no browser is to take
// them for anything but bytes, and none keeps them, because a message that is
// erased takes them along.
func (a *API) readBlob(c *call) error {
	id, err := blobID(c)
	if err != nil {
		return err
	}
	f, err := a.cfg.Blobs.Open(c.r.Context(), c.actor(), id)
	if err != nil {
		return err
	}
	defer f.Close()
	h := c.Header()
	h.Set("Content-Type", wire.MIMEBlob)
	h.Set("Content-Disposition", "attachment")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
	http.ServeContent(c, c.r, "", time.Time{}, &leaving{f, a.watch(c)})
	return nil
}

// stands looks again whether the session that asks is not over. The request's
// context ends with its read deadline, which a long download outlives.
func (a *API) stands(c *call) error {
	return a.cfg.DB.View(context.WithoutCancel(c.r.Context()), func(tx *db.Tx) error {
		_, ok, err := device.Standing(tx, c.session.Device)
		if err == nil && !ok {
			return wire.Refuse(wire.Unauthenticated, "the session is over")
		}
		return err
	})
}

const (
	lookEvery = 500 * time.Millisecond
	lookBytes = 1 << 20
)

// watch breaks a transfer off, which takes long with a slow peer, when its
// session is over.
type watch struct {
	stands func() error
	looked time.Time // when stands was asked last
	since  int       // bytes since then
}

func (a *API) watch(c *call) *watch {
	return &watch{stands: func() error { return a.stands(c) }, looked: time.Now()}
}

// look asks whether the session stands, if it is time to.
func (w *watch) look() error {
	if w.since < lookBytes && time.Since(w.looked) < lookEvery {
		return nil
	}
	if err := w.stands(); err != nil {
		return err
	}
	w.looked, w.since = time.Now(), 0
	return nil
}

// leaving is a file on its way to a device: it looks before it gives anything.
type leaving struct {
	io.ReadSeeker
	watch *watch
}

func (l *leaving) Read(p []byte) (int, error) {
	if err := l.watch.look(); err != nil {
		return 0, err
	}
	n, err := l.ReadSeeker.Read(p)
	l.watch.since += n
	return n, err
}

// arriving is one on its way from a device: it looks before it takes what came,
// since it may have waited long for that.
type arriving struct {
	io.Reader
	watch *watch
}

func (r *arriving) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.watch.since += n
	if over := r.watch.look(); over != nil {
		return 0, over
	}
	return n, err
}
