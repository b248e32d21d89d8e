package group

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// fewSeals is how many public key encryptions are not worth a goroutine of their
// own: each takes some 100 microseconds.
const fewSeals = 4

// parallel calls f for 0 to n-1, on all cores, and returns the error of the
// lowest number that had one.
func parallel(n int, f func(i int) error) error {
	workers := min(runtime.GOMAXPROCS(0), n/fewSeals)
	if workers < 2 {
		for i := range n {
			if err := f(i); err != nil {
				return err
			}
		}
		return nil
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, n)
	for range workers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				if errs[i] = f(int(i)); errs[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
