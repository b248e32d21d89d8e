package srtp

// windowSize is how far behind the highest index a packet may still come, in
// packets: at least 64 (RFC 3711 section 3.3.2); 512 is what a burst of video
// may be reordered by, and 10 s of audio.
const windowSize = 512

// window remembers which of the newest indices were seen.
type window struct {
	started bool
	highest uint64
	seen    [windowSize / 64]uint64 // a ring: bit index % windowSize
}

// guess is the index that sequence number seq most likely has: the one nearest
// to the highest (RFC 3711 appendix A). It fails where that would be negative.
func (w *window) guess(seq uint16) (uint64, bool) {
	if !w.started {
		return uint64(seq), true
	}
	index := w.highest&^0xffff | uint64(seq)
	switch distance := int64(index) - int64(w.highest); {
	case distance > 1<<15:
		if index < 1<<16 {
			return 0, false
		}
		index -= 1 << 16
	case distance < -1<<15:
		index += 1 << 16
	}
	return index, true
}

// fresh says whether index is neither seen nor older than the window.
func (w *window) fresh(index uint64) bool {
	switch {
	case !w.started || index > w.highest:
		return true
	case w.highest-index >= windowSize:
		return false
	}
	return w.seen[index%windowSize/64]&(1<<(index%64)) == 0
}

// add marks index, which is fresh, as seen.
func (w *window) add(index uint64) {
	if !w.started {
		w.started, w.highest = true, index
	}
	if index > w.highest {
		if index-w.highest >= windowSize {
			w.seen = [windowSize / 64]uint64{}
		} else {
			for i := w.highest + 1; i < index; i++ {
				w.seen[i%windowSize/64] &^= 1 << (i % 64)
			}
		}
		w.highest = index
	}
	w.seen[index%windowSize/64] |= 1 << (index % 64)
}
