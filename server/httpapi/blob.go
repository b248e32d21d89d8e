package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"github.com/veche-im/veche/server/authz"
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
	http.ServeContent(c, c.r, "", time.Time{}, f)
	return nil
}
