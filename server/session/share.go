package session

import (
	"sync"

	"github.com/veche-im/veche/wire"
)

// maxWrites is how many connections of one account may have the writer work for
// them at a time. The writer's queue is many times as long, so that nobody alone
// fills it.
const maxWrites = 32

// share counts, for each account, its requests that are with the writer.
type share struct {
	mu sync.Mutex // guards what follows
	of map[wire.AccountID]int
}

// enter counts one more, unless the account has its share.
func (s *share) enter(a wire.AccountID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[a] >= maxWrites {
		return false
	}
	if s.of == nil {
		s.of = make(map[wire.AccountID]int)
	}
	s.of[a]++
	return true
}

func (s *share) leave(a wire.AccountID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[a]--; s.of[a] <= 0 {
		delete(s.of, a)
	}
}

// Len returns how many requests are with the writer.
func (s *share) Len() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.of {
		n += k
	}
	return n
}
