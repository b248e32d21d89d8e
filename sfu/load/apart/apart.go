// Package apart runs a forwarder in a process of its own, so that what it uses
// can be told from what its callers use. The process is told who joins by lines
// of JSON on its standard input, and answers on its standard output.
package apart

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/veche-im/veche/sfu"
	"github.com/veche-im/veche/sfu/load"
)

type request struct {
	Join  uint32 `json:"join,omitempty"`
	Offer string `json:"offer,omitempty"`
	Trim  bool   `json:"trim,omitempty"` // give memory back that is not in use

	View uint32            `json:"view,omitempty"` // who looks
	At   map[string]uint32 `json:"at,omitempty"`   // in which slot at whom
}

type response struct {
	Answer  string `json:"answer,omitempty"`
	Error   string `json:"error,omitempty"`
	Packets uint64 `json:"packets"`
	Sends   uint64 `json:"sends"`
	Workers int    `json:"workers"`
}

// Serve is the whole life of the process: a forwarder on a free port of
// loopback with that many audio streams in a call, until in ends.
func Serve(in io.Reader, out io.Writer, speakers int) error {
	s, err := sfu.New(sfu.Config{
		UDP: "127.0.0.1:0", Speakers: speakers,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	requests, responses := json.NewDecoder(bufio.NewReader(in)), json.NewEncoder(out)
	for {
		var q request
		if err := requests.Decode(&q); err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return errors.Join(s.Close(), err)
		}
		if err := responses.Encode(serve(s, q)); err != nil {
			return errors.Join(s.Close(), err)
		}
	}
}

func serve(s *sfu.Server, q request) (r response) {
	if q.Join != 0 {
		a, err := s.Join(context.Background(), sfu.Join{Call: sfu.CallID{1}, Participant: q.Join, Offer: q.Offer, Listener: deaf{}})
		if r.Answer = a.SDP; err != nil {
			r.Error = err.Error()
		}
	}
	if q.View != 0 {
		views := make([]sfu.View, 0, len(q.At))
		for mid, who := range q.At {
			views = append(views, sfu.View{MID: mid, Participant: who, Source: sfu.Camera, Height: 720})
		}
		s.View(sfu.CallID{1}, q.View, views)
	}
	if q.Trim {
		debug.FreeOSMemory()
	}
	st := s.Stats()
	r.Packets, r.Sends, r.Workers = st.PacketsOut, st.Sends, st.Workers
	return r
}

// deaf hears nothing of what happens to a participant.
type deaf struct{}

func (deaf) Slots([]sfu.Slot)    {}
func (deaf) Quality(sfu.Quality) {}
func (deaf) Levels([]sfu.Level)  {}
func (deaf) Pause([]sfu.Layer)   {}
func (deaf) Alive(bool)          {}
func (deaf) Gone(sfu.Reason)     {}

// Process is a forwarder in a process of its own. It is a load.Server.
type Process struct {
	cmd *exec.Cmd
	in  io.Closer

	mu        sync.Mutex // guards what follows: one question at a time
	requests  *json.Encoder
	responses *json.Decoder
}

// Start starts cmd, which must come to call Serve.
func Start(cmd *exec.Cmd) (*Process, error) {
	if cmd.Stderr == nil {
		cmd.Stderr = os.Stderr
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &Process{cmd: cmd, in: in, requests: json.NewEncoder(in), responses: json.NewDecoder(bufio.NewReader(out))}, nil
}

// PID is the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Close ends the process.
func (p *Process) Close() error { return errors.Join(p.in.Close(), p.cmd.Wait()) }

func (p *Process) ask(q request) (r response, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.requests.Encode(q); err != nil {
		return r, err
	}
	if err := p.responses.Decode(&r); err != nil {
		return r, fmt.Errorf("the forwarder does not answer: %w", err)
	}
	if r.Error != "" {
		return r, errors.New(r.Error)
	}
	return r, nil
}

// Join takes an offer to the forwarder and brings its answer.
func (p *Process) Join(_ context.Context, participant uint32, offer string) (string, error) {
	r, err := p.ask(request{Join: participant, Offer: offer})
	return r.Answer, err
}

// View says at whom a participant looks: in each of its slots for pictures, by mid.
func (p *Process) View(_ context.Context, participant uint32, at map[string]uint32) error {
	_, err := p.ask(request{View: participant, At: at})
	return err
}

// Usage returns what the process has used, after it gave back what it can.
func (p *Process) Usage() (load.Usage, error) {
	r, err := p.ask(request{Trim: true})
	if err != nil {
		return load.Usage{}, err
	}
	u, err := Read(p.PID())
	u.Packets, u.Sends, u.Workers = r.Packets, r.Sends, r.Workers
	return u, err
}

// Read returns the processor time and the resident memory of a process, from
// /proc/PID/stat (proc(5): fields 14, 15 and 24).
func Read(pid int) (u load.Usage, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	text := string(b)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	const first = 3 // number of the field after the name
	if len(fields) < 24-first+1 {
		return u, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	at := func(field int) int64 {
		n, _ := strconv.ParseInt(fields[field-first], 10, 64) // the kernel writes numbers
		return n
	}
	const tick = time.Second / 100 // USER_HZ, the same on every Linux of today
	return load.Usage{CPU: time.Duration(at(14)+at(15)) * tick, Memory: at(24) * int64(os.Getpagesize())}, nil
}
