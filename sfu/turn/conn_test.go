package turn

import (
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Who sends a byte now and then and never asks for an allocation is not held for
// long; who has one is, as long as something comes.
func TestWhoComesToNothingIsSentAway(t *testing.T) {
	for _, relaying := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			client, server := net.Pipe()
			c := newConn(server)
			c.relaying.Store(relaying)
			stop := make(chan struct{})
			go func() {
				for {
					if _, err := client.Write([]byte{0}); err != nil {
						return
					}
					select {
					case <-time.After(time.Second):
					case <-stop:
						return
					}
				}
			}()
			var once sync.Once
			end := func() { once.Do(func() { close(stop) }) }
			time.AfterFunc(2*time.Minute, end)
			began := time.Now()
			_, err := io.Copy(io.Discard, c)
			lasted := time.Since(began)
			if err == nil {
				t.Error("ended without a reason")
			}
			if !relaying && lasted != firstWithin || relaying && lasted < 2*time.Minute {
				t.Errorf("relaying %v: lasted %v", relaying, lasted)
			}
			end()
			_ = client.Close()
			_ = c.Close()
			synctest.Wait()
		})
	}
}

func TestADeviceThatTakesNothingIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		c := newConn(server)
		began := time.Now()
		if _, err := c.Write([]byte("nobody reads this")); err == nil || time.Since(began) != stuck {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		<-c.ended
		_ = client.Close()
	})
}
