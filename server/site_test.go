package server_test

import (
	"testing"

	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/wire"
)

func TestFirstPersonComesInByTheSetupLinkAndConnects(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUp("Ann")
	c := ann.Connect()
	if c.Hello.Org != "Testers" || c.Hello.Name != "Ann" || !c.Hello.Admin || c.Hello.State != wire.DevicePending {
		t.Errorf("hello is %+v", c.Hello)
	}
	testenv.Call(c, wire.SessionPing, wire.None{})
	if _, err := testenv.Try(c, wire.RoomList, wire.None{}); wire.CodeOf(err) != wire.NotFound {
		t.Errorf("a pending device listed rooms: %v", err)
	}
}
