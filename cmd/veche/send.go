package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/wire"
)

type sendCmd struct {
	roomFlags
	Text  string        `arg:"" optional:"" help:"What to say (Markdown); - reads it from standard input."`
	Files []string      `name:"file" sep:"none" placeholder:"PATH" help:"Attach a file, as it is. May be given several times."`
	Reply int64         `placeholder:"SEQ" help:"Answer the message of this number."`
	Wait  time.Duration `default:"30s" help:"How long to wait for the server when it is away. The message is kept and leaves with the next command that reaches the server."`
}

// sentRow is a message that the server has on disk. Seq 0: it waits here.
type sentRow struct {
	Room   wire.RoomID `json:"room"`
	Seq    int64       `json:"seq"`
	ID     string      `json:"id"`
	Queued bool        `json:"queued,omitempty"`
}

func (c sendCmd) Run(ctx context.Context, t *term) error {
	out, err := c.outgoing(t)
	if err != nil {
		return err
	}
	p, err := openProfile(ctx, t, c.Profile)
	if err != nil {
		return err
	}
	defer p.close()
	room, err := p.findRoom(ctx, c.Room)
	if err != nil {
		return err
	}
	out.Room = &room.ID
	if c.Reply != 0 {
		item, err := p.itemAt(ctx, room.ID, c.Reply)
		if err != nil {
			return err
		}
		out.Reply = item.ID
	}
	queued, err := do(ctx, p, api.SendMessage, out)
	if err != nil {
		return err
	}
	row, err := p.sent(ctx, queued, c.Wait)
	if err != nil && !row.Queued {
		return err
	}
	if c.JSON {
		if err := t.object(row); err != nil {
			return err
		}
	}
	return err
}

func (c sendCmd) outgoing(t *term) (api.Outgoing, error) {
	out := api.Outgoing{Text: c.Text}
	if c.Text == "-" {
		b, err := io.ReadAll(io.LimitReader(t.in, wire.MaxMessage))
		if err != nil {
			return out, fmt.Errorf("read the text: %w", err)
		}
		out.Text = string(b)
	}
	for _, name := range c.Files {
		f, err := describeFile(name)
		if err != nil {
			return out, err
		}
		out.Files = append(out.Files, f)
	}
	if out.Text == "" && len(out.Files) == 0 {
		return out, usageError{errors.New("nothing to send: give a text or --file")}
	}
	return out, nil
}

// describeFile says what the receiver is told of a file besides its bytes.
func describeFile(name string) (api.OutgoingFile, error) {
	path, err := filepath.Abs(name)
	if err != nil {
		return api.OutgoingFile{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return api.OutgoingFile{}, usageError{err}
	}
	if !info.Mode().IsRegular() {
		return api.OutgoingFile{}, usageError{fmt.Errorf("%s is no file", name)}
	}
	f := api.OutgoingFile{Source: path, Name: filepath.Base(path)}
	if err := look(path, &f); err != nil {
		return api.OutgoingFile{}, fmt.Errorf("read %s: %w", name, err)
	}
	return f, nil
}
