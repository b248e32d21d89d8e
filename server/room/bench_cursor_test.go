package room_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/veche-im/veche/wire"
)

// BenchmarkCursor is cursors moved in 200 rooms of ten, all of whom listen, by 64
// callers at a time; see BenchmarkSend.
//
//	go test -run - -bench Cursor -benchtime 20000x ./server/room
func BenchmarkCursor(b *testing.B) {
	const rooms, people = 200, 10
	s := newSite(b)
	s.onStatements()
	var all []*device
	for range rooms {
		d := s.enlisted()
		others := make([]*device, people-1)
		for i := range others {
			others[i] = s.enlisted()
		}
		g, c := d.founding(d.owns(), others...)
		got, err := s.rooms.Create(s.ctx, d.Actor, c)
		s.must(err)
		s.must(g.MergePending())
		d.in[c.Room] = &place{group: g, seq: got.Seq, head: got.Head}
		for range b.N/(rooms*people) + 1 {
			_, err := s.rooms.Send(s.ctx, d.Actor, d.sealing(c.Room, "hello"))
			s.must(err)
		}
		for _, o := range append(others, d) {
			o.in[c.Room] = d.in[c.Room]
			s.must(s.hub.Come(&counter{o, new(atomic.Int64)}, wire.DeviceActive, func() ([]wire.RoomID, error) { return s.rooms.Of(s.ctx, o.Account) }))
			all = append(all, o)
		}
	}
	var next atomic.Int64
	var callers sync.WaitGroup
	before := cpu()
	b.ReportAllocs()
	b.ResetTimer()
	for range 64 {
		callers.Go(func() {
			for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
				d := all[i%int64(len(all))]
				if err := s.rooms.SetCursor(context.Background(), d.Actor, wire.SetCursor{Room: d.room(), Delivered: i/int64(len(all)) + 1}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	callers.Wait()
	b.StopTimer()
	b.ReportMetric(float64(cpu()-before)/1e3/float64(b.N), "cpu-us/op")
}
