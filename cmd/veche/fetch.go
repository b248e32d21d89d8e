package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/veche-im/veche/client"
	"github.com/veche-im/veche/client/api"
)

type fetchCmd struct {
	roomFlags
	Seq int64  `arg:"" help:"The message's number, as veche read shows it."`
	Out string `default:"." placeholder:"DIR" help:"Where to save (default: here). Nothing is overwritten."`
}

// savedRow is a file that was fetched, checked and saved.
type savedRow struct {
	Path string `json:"path"`
	Name string `json:"name"`
	Size int64  `json:"size"`
	Type string `json:"type"`
}

func (c fetchCmd) Run(ctx context.Context, t *term) error {
	p, err := openProfile(ctx, t, c.Profile)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.catchUp(ctx); err != nil {
		return err
	}
	room, err := p.roomNamed(ctx, c.Room)
	if err != nil {
		return err
	}
	item, err := p.itemAt(ctx, room.ID, c.Seq)
	if err != nil {
		return err
	}
	if len(item.Files) == 0 {
		return fmt.Errorf("message %d has no files", c.Seq)
	}
	out, err := filepath.Abs(c.Out) // the core may run in a process that stands elsewhere
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o700); err != nil {
		return err
	}
	for i := range item.Files {
		f, err := do(ctx, p, api.OpenFile, api.FileRef{Room: room.ID, ID: item.ID, Index: i, Sink: out})
		if err != nil {
			return err
		}
		if c.JSON {
			err = t.object(savedRow{f.Source, f.Name, f.Size, f.Type})
		} else {
			_, err = fmt.Fprintln(t.out, clean(f.Source))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sink saves a file: under a hidden name until all of it is there and genuine.
type sink struct {
	*os.File
	dir, name string
}

func createSink(_ context.Context, dir string, info client.SinkInfo) (client.Sink, error) {
	f, err := os.CreateTemp(dir, ".veche-*")
	if err != nil {
		return nil, err
	}
	return &sink{f, dir, safeName(info.Name)}, nil
}

// Commit gives the file its name, or the next free one.
func (s *sink) Commit() (string, error) {
	if err := errors.Join(s.Sync(), s.Close()); err != nil {
		return "", err
	}
	ext := filepath.Ext(s.name)
	stem := strings.TrimSuffix(s.name, ext)
	for n := 1; ; n++ {
		name := s.name
		if n > 1 {
			name = fmt.Sprintf("%s (%d)%s", stem, n, ext)
		}
		path := filepath.Join(s.dir, name)
		err := os.Link(s.Name(), path) // fails where something has that name, unlike a rename
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		return path, os.Remove(s.Name())
	}
}

func (s *sink) Abort() {
	s.Close()
	os.Remove(s.Name())
}

// safeName is the last guard before a stranger's name becomes a path: the core
// has made it safe to show, and here nothing may leave the folder.
func safeName(name string) string {
	name = strings.TrimLeft(clean(filepath.Base(filepath.Clean("/"+name))), ".-")
	if name == "" || name == "/" {
		return "file"
	}
	return strings.ReplaceAll(name, "\n", " ")
}

// openSource opens a file to send.
func openSource(_ context.Context, path string) (client.Source, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &source{f, info.Size()}, nil
}

type source struct {
	*os.File
	size int64
}

func (s *source) Size() int64 { return s.size }
