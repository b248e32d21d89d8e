package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/media"
)

type callCmd struct {
	roomFlags
	Play       string  `placeholder:"FILE.ogg" help:"Say what is in this Ogg Opus file, then leave."`
	Repeat     bool    `help:"Play it again and again."`
	Record     string  `placeholder:"DIR" help:"Write what everybody says and shows there, each into a file of their own: Ogg Opus and IVF. Nothing is overwritten."`
	Seconds    float64 `placeholder:"N" help:"Leave after so long. Without it: when --play has ended, else with the call."`
	Ring       bool    `help:"Ring the others if nobody is in a call there yet."`
	Redundancy int     `default:"1" placeholder:"N" help:"How many earlier frames each packet repeats against loss (0 to 4; default ${default})."`
	Path       string  `enum:"any,udp,tcp" default:"any" help:"How to reach the server's media port: any, udp, tcp (default ${default})."`
	Video      int     `default:"4" placeholder:"N" help:"How many pictures to receive at most (default ${default})."`
}

func (c callCmd) Run(ctx context.Context, t *term) error {
	cfg := media.Config{Ring: c.Ring, Redundancy: c.Redundancy, Time: time.Duration(c.Seconds * float64(time.Second)), Path: media.Path(strings.TrimPrefix(c.Path, "any")), Video: c.Video}
	if c.Seconds < 0 || c.Video < 0 || c.Video > 25 {
		return usageError{errors.New("--seconds and --video take no such number")}
	}
	if c.Play != "" {
		source, err := openSound(c.Play, c.Repeat)
		if err != nil {
			return err
		}
		defer source.Close()
		cfg.Play = source
	}
	if c.Record != "" {
		if err := os.MkdirAll(c.Record, 0o700); err != nil {
			return err
		}
		cfg.Record = func(s media.Sender) (io.WriteCloser, error) { return recording(c.Record, s) }
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
	if err := p.catchUpOnline(ctx); err != nil {
		return err
	}
	cfg.Core, cfg.Room, cfg.Log = caller{p}, room.ID, clientLog()
	cfg.Told = func(what string) {
		if !c.JSON {
			t.note("%s", what)
		}
	}
	participant, err := media.New(cfg)
	if err != nil {
		return usageError{err}
	}
	report, err := participant.Run(ctx)
	if err != nil {
		return err
	}
	if err := p.settled(ctx); err != nil { // the last to leave says how the call was
		return err
	}
	if c.JSON {
		return t.object(report)
	}
	return t.callReport(report)
}

// caller is a profile's core as a participant asks it.
type caller struct{ p *profile }

func (c caller) Call(ctx context.Context, name string, params, result any) error {
	return c.p.call(ctx, name, params, result)
}

func (c caller) Changed() <-chan struct{} { return c.p.changed() }

// callReport writes what was heard as a table.
func (t *term) callReport(r media.Report) error {
	t.note("Sent %d packets; connected after %d ms, first frame after %d ms; %d frames did not open.",
		r.Sent.Packets, r.Connected, r.FirstFrame, r.Unopened)
	var rows [][]string
	for _, s := range r.Heard {
		made := ""
		if s.Sound != nil {
			if all := s.Sound.Played + s.Sound.Concealed; all > 0 {
				made = fmt.Sprintf("%.1f %%", 100*float64(s.Sound.Concealed)/float64(all))
			}
		}
		rows = append(rows, []string{s.Name, string(s.Source), strconv.Itoa(s.Frames), bytesText(int64(s.Bytes)), made})
	}
	return t.table([]string{"FROM", "SOURCE", "FRAMES", "SIZE", "MADE UP"}, rows)
}

// recording makes the file for a sender.
func recording(dir string, s media.Sender) (io.WriteCloser, error) {
	end := ".ogg"
	if s.Source == api.Camera || s.Source == api.Screen {
		end = ".ivf"
	}
	for n := 1; ; n++ {
		name := fmt.Sprintf("%s-%s-%d%s", s.Account, s.Source, n, end)
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		return f, err
	}
}

// sound is an Ogg Opus file that is played, once or again and again.
type sound struct {
	f      *os.File
	source media.Source
	repeat bool
}

func openSound(name string, repeat bool) (*sound, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, usageError{err}
	}
	source, err := media.OpenOgg(f)
	if err != nil {
		return nil, usageError{errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())}
	}
	return &sound{f, source, repeat}, nil
}

// Next returns the next packet.
func (s *sound) Next() ([]byte, error) {
	b, err := s.source.Next()
	if !errors.Is(err, io.EOF) || !s.repeat {
		return b, err
	}
	if _, err := s.f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	if s.source, err = media.OpenOgg(s.f); err != nil {
		return nil, err
	}
	return s.source.Next()
}

func (s *sound) Close() error { return s.f.Close() }
