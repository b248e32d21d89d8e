package socket

// turns tells whoever does a handshake over a Line when it is this end's turn to
// compute: that ends with a write, and begins with a read. Its methods are for the
// goroutine that does the handshake.
type turns struct {
	wrote func([]byte)
	came  func() error
}

// OnWrite has f called once: before the next write, with what is written, or by
// Computed, whichever comes first.
func (t *turns) OnWrite(f func(b []byte)) { t.wrote = f }

// OnRead has f called after each read, with what OnWrite was given called before
// it; an error of f is the read's. Nil ends that.
func (t *turns) OnRead(f func() error) { t.came = f }

// Computed calls what OnWrite was given with nil, unless that was called.
func (t *turns) Computed() { t.computed(nil) }

func (t *turns) computed(b []byte) {
	if f := t.wrote; f != nil {
		t.wrote = nil
		f(b)
	}
}

// handshakeRead is a read that waits where it is.
func (l *Line) handshakeRead(p []byte) (int, error) {
	if l.came == nil {
		return l.Conn.Read(p)
	}
	l.Computed() // nobody computes while the peer is waited for
	n, err := l.Conn.Read(p)
	if came := l.came; came != nil && n > 0 {
		if err := came(); err != nil {
			return 0, err
		}
	}
	return n, err
}
