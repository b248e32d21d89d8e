package wire

import (
	"bytes"
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"
)

func TestClientIDsAreInTheOrderOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last ClientID
		seen := make(map[ClientID]bool)
		for range 1000 {
			id, again := NewClientID(), NewClientID()
			if bytes.Compare(last[:], id[:]) >= 0 || bytes.Compare(last[:], again[:]) >= 0 {
				t.Fatalf("%x and %x are not after %x, which is older", id, again, last)
			}
			if id == again || seen[id] || seen[again] {
				t.Fatalf("%x came twice", id)
			}
			seen[id], seen[again] = true, true
			if ms := int64(binary.BigEndian.Uint64(id[:8]) >> 16); ms != time.Now().UnixMilli() {
				t.Fatalf("it says %d at %d", ms, time.Now().UnixMilli())
			}
			if id[6]>>4 != 7 || id[8]>>6 != 2 {
				t.Fatalf("%x is no UUID of version 7", id)
			}
			last = id
			time.Sleep(time.Millisecond)
		}
	})
}
