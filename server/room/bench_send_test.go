package room_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/veche-im/veche/server/account"
	"github.com/veche-im/veche/server/blob"
	"github.com/veche-im/veche/server/db"
	devices "github.com/veche-im/veche/server/device"
	"github.com/veche-im/veche/server/room"
	"github.com/veche-im/veche/wire"
)

// BenchmarkSend is messages of 1 KB on disk, sent by 64 callers at a time: into
// one room, and into 200 rooms of ten people in which everybody else listens.
// What counts is cpu-us/op, the CPU time of this process for one message: how
// many a second depends on the disk and on what else runs.
//
//	go test -run - -bench Send -benchtime 20000x ./server/room
func BenchmarkSend(b *testing.B) {
	for _, size := range []struct{ rooms, people int }{{1, 1}, {200, 10}} {
		b.Run(fmt.Sprintf("%dx%d", size.rooms, size.people), func(b *testing.B) {
			s := newSite(b)
			s.onStatements()
			senders, heard := s.population(size.rooms, size.people)
			messages := make([]wire.SendMessage, b.N)
			text := string(make([]byte, 1000))
			for i := range messages {
				d := senders[i%len(senders)]
				messages[i] = d.sealing(d.room(), text)
			}
			var next atomic.Int64
			var all sync.WaitGroup
			heard.Store(0)
			before := cpu()
			b.ResetTimer()
			for range 64 {
				all.Go(func() {
					for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
						d := senders[i%int64(len(senders))]
						if _, err := s.rooms.Send(context.Background(), d.Actor, messages[i]); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
			b.StopTimer()
			b.ReportMetric(float64(cpu()-before)/1e3/float64(b.N), "cpu-us/op")
			if want := int64(b.N * (size.people - 1)); heard.Load() != want {
				b.Errorf("%d nudges were heard, not %d", heard.Load(), want)
			}
		})
	}
}

// population makes rooms with so many people each, of whom the first sends and
// the others listen.
func (s *site) population(rooms, people int) (senders []*device, heard *atomic.Int64) {
	s.Helper()
	heard = new(atomic.Int64)
	for range rooms {
		d, others := s.enlisted(), make([]*device, people-1)
		for i := range others {
			others[i] = s.enlisted()
		}
		g, c := d.founding(d.owns(), others...)
		got, err := s.rooms.Create(s.ctx, d.Actor, c)
		s.must(err)
		s.must(g.MergePending())
		d.in[c.Room] = &place{group: g, seq: got.Seq, head: got.Head}
		senders = append(senders, d)
		for _, o := range others {
			s.must(s.hub.Come(&counter{o, heard}, wire.DeviceActive, func() ([]wire.RoomID, error) { return s.rooms.Of(s.ctx, o.Account) }))
		}
	}
	return senders, heard
}

// room is the only room that the device is in.
func (d *device) room() (id wire.RoomID) {
	for id = range d.in {
	}
	return id
}

// counter counts the entries of which a device hears.
type counter struct {
	d     *device
	heard *atomic.Int64
}

func (c *counter) Hear(frame []byte) {
	if bytes.HasSuffix(frame, []byte("nudge")) { // not who came and went
		c.heard.Add(1)
	}
}
func (c *counter) Become(wire.DeviceState)              {}
func (c *counter) End(wire.Code)                        {}
func (c *counter) Who() (wire.AccountID, wire.DeviceID) { return c.d.Account, c.d.Device }

// cpu is what this process has used so far, in nanoseconds.
func cpu() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// onStatements has the site's rooms ask the tables in which the server keeps
// what statements say.
func (s *site) onStatements() {
	s.Helper()
	s.must(s.db.Close())
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	var err error
	s.db, err = db.Open(s.ctx, db.Config{
		Path: filepath.Join(s.TempDir(), "veche.db"), Log: log,
		Schemas: []db.Schema{account.Schema, devices.Schema, room.Schema, blob.Schema},
	})
	s.must(err)
	s.again()
}

// again makes the site's nouns anew on its database, as a start does.
func (s *site) again() {
	s.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	var err error
	s.blobs, err = blob.New(blob.Config{DB: s.db, Dir: filepath.Join(s.dir, "blobs"), Log: log, Now: s.clock.now})
	s.must(err)
	s.rooms, err = room.New(room.Config{DB: s.db, Hub: s.hub, People: devices.People{}, Blobs: s.blobs, Log: log, Now: s.clock.now})
	s.must(err)
}

// enlisted is a person whose rows say that its device is active.
func (s *site) enlisted() *device {
	s.Helper()
	d := s.person()
	s.must(s.db.Update(s.ctx, func(tx *db.Tx) error {
		const person = `INSERT INTO account (id, name, name_key, password, admin, created_ms) VALUES ($1, $2, $2, '', 0, 0)`
		if _, err := tx.Exec(person, d.Account, d.Account.String()); err != nil {
			return err
		}
		const dev = `INSERT INTO device (id, account_id, name, state, leaf_key, created_ms, seen_ms) VALUES ($1, $2, '', $3, $4, 0, 0)`
		_, err := tx.Exec(dev, d.Device, d.Account, string(wire.DeviceActive), d.signer.Public())
		return err
	}))
	return d
}

// BenchmarkLog is what a device costs that reads 50 messages of 1 KB in each of
// 100 rooms, from the request as it was decoded to the encoded answer: cpu-ms/op
// is for all of them. "disk" asks a server that has just started.
func BenchmarkLog(b *testing.B) {
	const rooms, each = 100, 50
	s := newSite(b)
	s.onStatements()
	ann := s.enlisted()
	for range rooms {
		id := ann.makeGroup()
		for range each {
			if _, err := s.rooms.Send(s.ctx, ann.Actor, ann.sealing(id, string(make([]byte, 1000)))); err != nil {
				b.Fatal(err)
			}
		}
	}
	read := func(b *testing.B) {
		before := cpu()
		for b.Loop() {
			for id := range ann.in {
				page, err := s.rooms.Log(s.ctx, ann.Actor, wire.ReadLog{Room: id, After: 1})
				if err != nil || len(page.Entries) != each {
					b.Fatal(len(page.Entries), err)
				}
				if _, err := wire.Encode(page); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(cpu()-before)/1e6/float64(b.N), "cpu-ms/op")
	}
	b.Run("memory", read)
	s.again()
	b.Run("disk", read)
}
