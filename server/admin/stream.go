package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/veche-im/veche/server/backup"
	"github.com/veche-im/veche/wire"
)

// Answers that take long come as a stream. Who asks may be slow, but not asleep:
// as long as it takes nothing, files that are deleted stay on disk.
const (
	asleep     = 2 * time.Minute
	sizeHeader = "Veche-Size"
	endTrailer = "Veche-End" // JSON of how it ended
)

// Fault is something that "veche check" found damaged.
type Fault struct {
	Table string      `json:"table"`
	Room  wire.RoomID `json:"room,omitzero"`
	Seq   int64       `json:"seq,omitempty"`
	Blob  wire.BlobID `json:"file,omitzero"`
	What  string      `json:"what"`
}

// Checked is how much "veche check" has looked at.
type Checked struct {
	Rooms   int64 `json:"rooms"`
	Entries int64 `json:"entries"`
	Files   int64 `json:"files"`
}

// end is how a stream ended.
type end struct {
	Error  string         `json:"error,omitempty"`
	Backup backup.Summary `json:"backup,omitzero"`
	Check  Checked        `json:"check,omitzero"`
}

// awake is a stream whose reader may be slow.
type awake struct {
	w http.ResponseWriter
	c *http.ResponseController
}

func stream(w http.ResponseWriter) *awake {
	w.Header().Set("Trailer", endTrailer)
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Time{}) // the server's own, which would end the request's context
	return &awake{w, c}
}

func (a *awake) Write(p []byte) (int, error) {
	if err := a.c.SetWriteDeadline(time.Now().Add(asleep)); err != nil {
		return 0, err
	}
	return a.w.Write(p)
}

func (a *awake) end(e end, err error) {
	if err != nil {
		e.Error = err.Error()
	}
	b, err := json.Marshal(e)
	if err != nil {
		return // without an end it is no whole answer
	}
	_ = a.c.SetWriteDeadline(time.Now().Add(asleep))
	a.w.Header().Set(endTrailer, strconv.QuoteToASCII(string(b)))
}

func (s *Server) backup(w http.ResponseWriter, r *http.Request) {
	out := stream(w)
	sum, err := s.cfg.Backup(r.Context(), out, func(size int64) { w.Header().Set(sizeHeader, strconv.FormatInt(size, 10)) })
	if err != nil {
		s.cfg.Log.Error("backup", "err", err)
	}
	out.end(end{Backup: sum}, err)
}

func (s *Server) check(w http.ResponseWriter, r *http.Request) {
	out := stream(w)
	lines := json.NewEncoder(out)
	n, err := s.cfg.Check(r.Context(), func(f Fault) {
		s.cfg.Log.Error("damaged", "table", f.Table, "room", f.Room, "seq", f.Seq, "what", f.What)
		_ = lines.Encode(f) // who left ends the context
	})
	out.end(end{Check: n}, err)
}

// Backup has the server that runs on dir write a backup into to, and calls begin
// before, with about how many bytes that will be. An error says that what was
// written is no backup. ErrNotRunning says that no server runs.
func Backup(ctx context.Context, dir string, to io.Writer, begin func(size int64)) (backup.Summary, error) {
	e, err := follow(ctx, dir, "/backup", func(res *http.Response) error {
		size, _ := strconv.ParseInt(res.Header.Get(sizeHeader), 10, 64) // 0: unknown
		begin(size)
		_, err := io.Copy(to, res.Body)
		return err
	})
	return e.Backup, err
}

// AskCheck has the server that runs on dir look at everything that it keeps, and
// tells each fault. ErrNotRunning says that no server runs.
func AskCheck(ctx context.Context, dir string, tell func(Fault)) (Checked, error) {
	e, err := follow(ctx, dir, "/check", func(res *http.Response) error {
		for d := json.NewDecoder(res.Body); ; {
			var f Fault
			if err := d.Decode(&f); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			tell(f)
		}
	})
	return e.Check, err
}

// follow asks for a stream and has read take it to its end.
func follow(ctx context.Context, dir, path string, read func(*http.Response) error) (e end, err error) {
	res, done, err := post(ctx, dir, path, nil)
	if err != nil {
		return e, err
	}
	defer done()
	if res.StatusCode != http.StatusOK {
		return e, fmt.Errorf("ask the server on %s: it answered %s", dir, res.Status)
	}
	if err := read(res); err != nil {
		if ctx.Err() != nil {
			return e, ctx.Err()
		}
		return e, err
	}
	text, err := strconv.Unquote(res.Trailer.Get(endTrailer))
	if err == nil {
		err = json.Unmarshal([]byte(text), &e)
	}
	switch {
	case err != nil:
		return e, fmt.Errorf("the server on %s ended in the middle of its answer", dir)
	case e.Error != "":
		return e, errors.New(e.Error)
	}
	return e, nil
}
