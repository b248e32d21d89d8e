package server

import (
	"net"
	"testing"
)

func TestTheUsualPortOfHTTPS(t *testing.T) {
	for address, want := range map[string]bool{"[::]:443": true, "192.0.2.1:443": true, "[::]:8443": false, "127.0.0.1:4430": false} {
		a, err := net.ResolveTCPAddr("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if usualPort(a) != want {
			t.Errorf("%s: %t", address, !want)
		}
	}
}
