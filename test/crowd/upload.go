package crowd

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/veche-im/veche/wire"
)

// Upload has the first writer put a file of that many bytes on the site. What
// the server refused is a *wire.Error.
func (c *Crowd) Upload(ctx context.Context, url string, size int) error {
	ask, err := json.Marshal(wire.NewBlob{Size: int64(size)})
	if err != nil {
		return err
	}
	var state wire.BlobState
	if err := c.post(ctx, "POST", url+wire.PathBlobs, "application/json", ask, &state); err != nil {
		return err
	}
	const most = 4 << 20 // of one request
	for state.Have < state.Size {
		body := bytes.Repeat([]byte{'b'}, int(min(most, state.Size-state.Have)))
		at := fmt.Sprintf("%s%s%s?offset=%d", url, wire.PathBlob, state.Blob, state.Have)
		if err := c.post(ctx, "PUT", at, wire.MIMEBlob, body, &state); err != nil {
			return err
		}
	}
	return nil
}

func (c *Crowd) post(ctx context.Context, method, url, kind string, body []byte, res any) error {
	d := c.writers[0].door
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+d.token)
	req.Header.Set("Content-Type", kind)
	resp, err := d.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		e := new(wire.Error)
		if err := json.Unmarshal(b, e); err != nil {
			return fmt.Errorf("%s %s: %s: %q", method, url, resp.Status, b)
		}
		return e
	}
	return json.Unmarshal(b, res)
}
