package video

// remembered is how many numbers back a window reaches; more than maxGap.
const remembered = 2048

// A window knows which numbers of a series were taken, so that none is taken twice:
// SRTP must never seal two packets under one number (RFC 7714 §8.1 makes its nonce
// of it). What is too old to be known counts as taken.
type window struct {
	top  int64
	bits [remembered / 64]uint64
	used bool
}

// take notes n and says whether it is the first time.
func (w *window) take(n int64) bool {
	if !w.used {
		w.used, w.top = true, n-1
	}
	if n <= w.top-remembered || n < 0 {
		return false
	}
	if n-w.top >= remembered {
		w.bits, w.top = [remembered / 64]uint64{}, n
	}
	for ; w.top < n; w.top++ {
		i := (w.top + 1) % remembered
		w.bits[i/64] &^= 1 << (i % 64)
	}
	word, bit := &w.bits[n%remembered/64], uint64(1)<<(n%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	return true
}
