package httpapi

import (
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// over is the answer to a request that comes over a connection.
type over struct {
	http.ResponseWriter
	conn net.Conn
}

func (o over) SetReadDeadline(t time.Time) error { return o.conn.SetReadDeadline(t) }

// A body of file bytes must come with what a slow line does, over all of it: a byte
// now and then is not enough, nor is nothing for a minute.
func TestBodiesThatDribbleBreakOff(t *testing.T) {
	for _, tt := range []struct {
		name string
		size int
		part int
		each time.Duration
		ends time.Duration // 0: it comes whole
	}{
		{"a byte in every half minute", 1000, 1, 30 * time.Second, time.Minute},
		{"a tenth of the slowest line", 1 << 20, 200, time.Second, 67 * time.Second},
		{"a line of 64 kbit/s", 4 << 20, 8000, time.Second, 0},
		{"that stops", 1 << 20, 700_000, 2 * time.Minute, time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := net.Pipe()
				body := &rollingBody{ReadCloser: a, ctl: http.NewResponseController(over{conn: a})}
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					defer b.Close()
					for left := tt.size; left > 0; left -= tt.part {
						if left < tt.size {
							time.Sleep(tt.each)
						}
						if _, err := b.Write(make([]byte, min(left, tt.part))); err != nil {
							return
						}
					}
				}()
				began := time.Now()
				n, err := io.Copy(io.Discard, body)
				took := time.Since(began)
				var timeout net.Error
				switch {
				case tt.ends == 0 && (err != nil || n != int64(tt.size)):
					t.Errorf("%d bytes came, and %v", n, err)
				case tt.ends > 0 && (!errors.As(err, &timeout) || !timeout.Timeout() || took > tt.ends+time.Second):
					t.Errorf("%d bytes came in %v, and %v", n, took, err)
				}
				a.Close()
				<-ended
			})
		})
	}
}
