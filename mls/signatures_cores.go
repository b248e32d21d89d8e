//go:build !js

package mls

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// fewSignatures is how many are not worth a goroutine of their own: each takes
// some 50 microseconds.
const fewSignatures = 8

// firstInvalid returns the position of the first signature that is not valid, or
// -1. All cores work on it.
func firstInvalid(scheme SignatureScheme, list []signed) int {
	workers := min(runtime.GOMAXPROCS(0), len(list)/fewSignatures)
	if workers < 2 {
		return firstOf(scheme, list)
	}
	var next, bad atomic.Int64 // positions are given out in order, so that all before bad have been looked at in the end
	bad.Store(int64(len(list)))
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < bad.Load(); i = next.Add(1) - 1 {
				if list[i].valid(scheme) {
					continue
				}
				for before := bad.Load(); i < before && !bad.CompareAndSwap(before, i); before = bad.Load() {
				}
				return
			}
		})
	}
	wg.Wait()
	if at := bad.Load(); at < int64(len(list)) {
		return int(at)
	}
	return -1
}
