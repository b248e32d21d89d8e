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
	st, err := a.cfg.Blobs.Append(c.r.Context(), c.actor(), id, offset, c.r.Body)
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
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	http.ServeContent(c, c.r, "", time.Time{}, &watched{ReadSeeker: f, stands: func() error { return a.stands(c) }, looked: time.Now()})
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

// watched is a file on its way to a device, which takes long with a slow one: it
// breaks off when the session is over.
type watched struct {
	io.ReadSeeker
	stands func() error
	looked time.Time // when stands was asked last
	since  int       // bytes since then
}

func (w *watched) Read(p []byte) (int, error) {
	if w.since >= lookBytes || time.Since(w.looked) >= lookEvery {
		if err := w.stands(); err != nil {
			return 0, err
		}
		w.looked, w.since = time.Now(), 0
	}
	n, err := w.ReadSeeker.Read(p)
	w.since += n
	return n, err
}
