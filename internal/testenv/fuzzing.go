package testenv

import (
	"fmt"
	"slices"
	"sync"
	"testing"
)

// Fuzzing returns f as what sites and devices are made with that a fuzz target
// uses: f itself must not be called from inside of one. What would fail f there
// panics, which the fuzzer takes for a finding.
func Fuzzing(f *testing.F) testing.TB {
	z := &fuzzing{TB: f}
	f.Cleanup(z.clean)
	return z
}

type fuzzing struct {
	testing.TB

	mu sync.Mutex // guards what follows
	do []func()
}

func (z *fuzzing) Cleanup(f func()) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.do = append(z.do, f)
}

func (z *fuzzing) clean() {
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, f := range slices.Backward(z.do) {
		f()
	}
}

func (*fuzzing) Helper()             {}
func (*fuzzing) Log(...any)          {}
func (*fuzzing) Logf(string, ...any) {}
func (*fuzzing) Error(args ...any)   { panic(fmt.Sprintln(args...)) }
func (*fuzzing) Fatal(args ...any)   { panic(fmt.Sprintln(args...)) }

func (*fuzzing) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (*fuzzing) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
