package room_test

import (
	"fmt"
	"testing"

	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
)

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
