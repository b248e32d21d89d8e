package client_test

import (
	"testing"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/wire"
)

// An administrator at the server's own machine is at localhost; the links that
// she makes there are for others.
func TestLinksMadeAtTheServersOwnMachineLeadOthersThere(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann := w.Client("ann")
	testenv.Do(ann, api.Prove, api.Proof{Password: testenv.Password})
	bob := api.PersonRef{Person: ann.Person("bob")}
	everybody := w.Info.HTTPS
	for _, tt := range []struct{ name, at, want string }{
		{"this machine by http", "http://localhost:8080", everybody},
		{"this machine by https", "https://127.0.0.1:8443", everybody},
		{"IPv6", "https://[::1]:8443", everybody},
		{"the address that she reaches it at", "https://veche.example", "https://veche.example"},
	} {
		ann.Link.SeenAt(tt.at)
		invite := testenv.Do(ann, api.CreateInvite, api.None{})
		if want := tt.want + wire.PathJoinUI + "#" + invite.Token; invite.Link != want {
			t.Errorf("%s: the invite is %s, want %s", tt.name, invite.Link, want)
		}
		reset := testenv.Do(ann, api.MakeReset, bob)
		if want := tt.want + wire.PathResetUI + "#" + reset.Token; reset.Link != want {
			t.Errorf("%s: the link to a password is %s, want %s", tt.name, reset.Link, want)
		}
	}
}

func TestAServerThatDoesNotKnowItsAddressGetsTheOwnMachinesLinks(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann"))
	ann := w.Client("ann")
	ann.Link.SeenAt("http://localhost:8080")
	ann.Link.Answers(func(method string, f *wire.Frame) {
		if method == wire.SiteAddress.Name {
			f.Body, f.Error = nil, wire.Refuse(wire.BadRequest, "no such method")
		}
	})
	invite := testenv.Do(ann, api.CreateInvite, api.None{})
	if want := "http://localhost:8080" + wire.PathJoinUI + "#" + invite.Token; invite.Link != want {
		t.Errorf("the invite is %s, want %s", invite.Link, want)
	}
}
