package mls

import "hash"

// CountHashes makes the suite count how often it hashes, until restore is
// called.
func CountHashes(s Suite) (hashes *int, restore func()) {
	r := s.must()
	made := r.newHash
	hashes = new(int)
	r.newHash = func() hash.Hash { return &counted{made(), hashes} }
	return hashes, func() { r.newHash = made }
}

type counted struct {
	hash.Hash
	sums *int
}

func (c *counted) Sum(b []byte) []byte {
	*c.sums++
	return c.Hash.Sum(b)
}
