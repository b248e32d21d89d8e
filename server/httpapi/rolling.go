package httpapi

import (
	"io"
	"net/http"
	"time"
)

// rollingBody gives the peer time again with everything that it sends, as long as
// that is not a byte now and then: from the first read on it has stallTimeout, and
// more in proportion to what has come.
type rollingBody struct {
	io.ReadCloser
	ctl   *http.ResponseController
	began time.Time // zero before the first read
	got   int
}

func (b *rollingBody) Read(p []byte) (int, error) {
	now := time.Now()
	if b.began.IsZero() {
		b.began = now
	}
	until := b.began.Add(stallTimeout + time.Duration(b.got)*(time.Second/slowestBody))
	if stall := now.Add(stallTimeout); until.After(stall) {
		until = stall
	}
	if err := b.ctl.SetReadDeadline(until); err != nil {
		return 0, err
	}
	n, err := b.ReadCloser.Read(p)
	b.got += n
	return n, err
}

// rollingWriter gives the peer time again with everything that it takes.
type rollingWriter struct {
	http.ResponseWriter
	ctl *http.ResponseController
}

func (w *rollingWriter) Write(p []byte) (int, error) {
	if err := w.ctl.SetWriteDeadline(time.Now().Add(stallTimeout)); err != nil {
		return 0, err
	}
	return w.ResponseWriter.Write(p)
}

func (w *rollingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
