package room_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/wire"
)

// BenchmarkSend is messages on disk a second, sent by 64 devices at a time.
func BenchmarkSend(b *testing.B) {
	s := newSite(b)
	ann := s.person()
	id := ann.makeGroup()
	messages := make([]wire.SendMessage, b.N)
	for i := range messages {
		messages[i] = ann.sealing(id, "hello")
	}
	var next atomic.Int64
	var all sync.WaitGroup
	b.ResetTimer()
	for range 64 {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
				if _, err := s.rooms.Send(context.Background(), ann.Actor, messages[i]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// BenchmarkLargeRoom is what a commit with a path costs among so many leaves with
// the hybrid suite.
func BenchmarkLargeRoom(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := newSite(b)
			s.suite = mls.HybridX25519MLKEM768
			ann := s.person()
			g, c := ann.founding(ann.owns(), crowd(s.person(), n-1)...)
			got, err := s.rooms.Create(s.ctx, ann.Actor, c)
			s.must(err)
			s.must(g.MergePending())
			id := c.Room
			ann.in[id] = &place{group: g, seq: got.Seq, head: got.Head}
			s.must(ann.commit(id, group.CommitOptions{}))
			b.ResetTimer()
			for range b.N {
				b.StopTimer()
				commit := ann.committing(id, group.CommitOptions{})
				b.StartTimer()
				_, err := s.rooms.Commit(s.ctx, ann.Actor, commit)
				b.StopTimer()
				s.must(err)
				ann.sync(id)
				b.StartTimer()
			}
		})
	}
}
