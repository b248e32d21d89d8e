package httpapi

import (
	"io"
	"net/http"
	"time"
)

// rollingBody gives the peer time again with everything that it sends.
type rollingBody struct {
	io.ReadCloser
	ctl *http.ResponseController
}

func (b *rollingBody) Read(p []byte) (int, error) {
	if err := b.ctl.SetReadDeadline(time.Now().Add(stallTimeout)); err != nil {
		return 0, err
	}
	return b.ReadCloser.Read(p)
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
