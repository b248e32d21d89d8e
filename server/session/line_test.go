package session

import (
	"testing"
	"testing/synctest"

	"github.com/veche-im/veche/wire"
)

// Each connection may have megabytes waiting, but not all of them at a time: what
// would be too much is refused, with a time to come back. Who asks for one thing
// at a time is served all the same.
func TestWhatWaitsOnAllConnectionsTogetherIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size, waiting, connections = 1 << 20, 6, 12
		d := newDesk(t)
		var pipes []*pipe
		for range connections {
			p := d.connect(t)
			pipes = append(pipes, p)
			for i := range waiting + 1 { // one is carried out
				p.ask(t, uint64(i+1), large.Name, make([]byte, size))
			}
			synctest.Wait()
		}
		if n := d.InLine(); n > maxLine || n < maxLine/2 {
			t.Errorf("%d bytes wait, of %d that may", n, maxLine)
		}
		for range connections * (waiting + 1) {
			d.gate <- struct{}{}
		}
		done, refused := 0, 0
		for i, p := range pipes {
			first := false
			for range waiting + 1 {
				switch f := p.take(t); {
				case f.Error == nil:
					done++
					first = first || f.ID == 1
				case f.Error.Code == wire.Busy && f.Error.RetryAfter > 0:
					refused++
				default:
					t.Errorf("an answer: %v", f.Error)
				}
			}
			if !first {
				t.Errorf("the first request of connection %d was refused", i)
			}
		}
		if done < maxLine/size/2 || refused < connections*waiting-maxLine/size || uint64(refused) != d.Turned() {
			t.Errorf("%d carried out, %d refused, %d counted", done, refused, d.Turned())
		}
		synctest.Wait()
		if n := d.InLine(); n != 0 {
			t.Errorf("%d bytes wait when nothing does", n)
		}
		for _, p := range pipes {
			p.Close(0, "")
		}
	})
}

// Who goes leaves the line.
func TestWhatWaitsEndsWithItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		p := d.connect(t)
		for i := range 4 {
			p.ask(t, uint64(i+1), large.Name, make([]byte, 1<<20))
		}
		synctest.Wait()
		if n := d.InLine(); n < 3<<20 {
			t.Errorf("%d bytes wait", n)
		}
		p.Close(0, "")
		synctest.Wait()
		d.gate <- struct{}{}
		synctest.Wait()
		if n := d.InLine(); n != 0 {
			t.Errorf("%d bytes wait for nobody", n)
		}
	})
}
