package server_test

import (
	"testing"

	"github.com/coder/websocket"

	"github.com/veche-im/veche/internal/statement"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/wire"
)

// refused fails the test unless err is a refusal of that code.
func refused(t *testing.T, err error, code wire.Code, what string) {
	t.Helper()
	if wire.CodeOf(err) != code {
		t.Errorf("%s: got %v, want %s", what, err, code)
	}
}

func TestFirstDeviceBecomesActiveWithItsStatement(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUpPerson("Ann")
	testenv.Call(ann.Socket, wire.RoomList, wire.None{}) // no longer restricted
	ev := testenv.EventThat(ann.Socket, wire.OnDevice, func(d wire.DeviceChange) bool { return d.Device.State == wire.DeviceActive })
	if ev.Device.Device != ann.Device {
		t.Errorf("heard of %v", ev.Device.Device)
	}
	got := testenv.Call(ann.Socket, wire.DirectoryStatements, wire.GetStatements{Of: []wire.StatementsFrom{{Account: ann.Account, From: 1}}})
	if _, err := statement.Verify(ann.Account, got.Chains[0].Statements); err != nil || len(got.Chains[0].Statements) != 1 {
		t.Errorf("the chain: %v, %d statements", err, len(got.Chains[0].Statements))
	}
	people := testenv.Call(ann.Socket, wire.DirectoryPeople, wire.ListPeople{})
	if len(people.People) != 1 || people.People[0].Head != 1 || !people.People[0].Online || !people.People[0].Admin {
		t.Errorf("people: %+v", people)
	}
	again := ann.Connect()
	if again.Hello.State != wire.DeviceActive {
		t.Errorf("a new connection is %s", again.Hello.State)
	}
}

func TestPendingDeviceMayOnlyEnrol(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUpPerson("Ann")
	bob := site.AddPerson("Bob")
	c := site.SignIn("ann").Connect()
	for _, try := range []struct {
		name string
		do   func() error
	}{
		{"people", func() error { _, err := testenv.Try(c, wire.DirectoryPeople, wire.ListPeople{}); return err }},
		{"another's chain", func() error {
			_, err := testenv.Try(c, wire.DirectoryStatements, wire.GetStatements{Of: []wire.StatementsFrom{{Account: bob.Account}}})
			return err
		}},
		{"rooms", func() error { _, err := testenv.Try(c, wire.RoomList, wire.None{}); return err }},
		{"invite", func() error { _, err := testenv.Try(c, wire.InviteCreate, wire.None{}); return err }},
		{"claim", func() error {
			_, err := testenv.Try(c, wire.KeyClaim, wire.ClaimKeys{Accounts: []wire.AccountID{bob.Account}})
			return err
		}},
		{"upload", func() error { _, err := testenv.Try(c, wire.KeyUpload, wire.UploadKeys{}); return err }},
		{"drop", func() error {
			_, err := testenv.Try(c, wire.DeviceDrop, wire.DropDevice{Device: ann.Device})
			return err
		}},
	} {
		refused(t, try.do(), wire.NotFound, try.name)
	}
	own := testenv.Call(c, wire.DirectoryStatements, wire.GetStatements{Of: []wire.StatementsFrom{{Account: ann.Account}}})
	if len(own.Chains) != 1 || len(own.Chains[0].Statements) != 1 {
		t.Errorf("its own chain: %+v", own)
	}
	testenv.Call(c, wire.DeviceVault, wire.None{})
	if list := testenv.Call(c, wire.DeviceList, wire.None{}); len(list.Devices) != 2 {
		t.Errorf("devices: %+v", list)
	}
	// It hears nothing of the site, only of itself.
	site.AddPerson("Cid")
	testenv.Call(c, wire.SessionPing, wire.None{})
	if heard := c.Events(); len(heard) != 0 {
		t.Errorf("a pending device heard %v", heard)
	}
}

func TestFurtherDeviceIsApprovedByAnActiveOne(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUpPerson("Ann")
	c := site.SignIn("ann").Connect()
	keys := testenv.NewKeys(t)
	testenv.Call(c, wire.DeviceEnrol, keys.Enrol())
	asks := testenv.EventThat(ann.Socket, wire.OnDevice, func(d wire.DeviceChange) bool { return d.Device.Device == c.Hello.Device })
	if string(asks.Device.Key) != string(keys.Enrol().Key) || string(asks.Device.Unlock) != string(keys.Enrol().Unlock) {
		t.Error("the approving device hears other keys than were sent")
	}
	ann.Root.Publish(ann.Socket, testenv.Add(c.Hello.Device, keys))
	in := testenv.EventThat(c, wire.OnDevice, func(d wire.DeviceChange) bool { return d.Device.State == wire.DeviceActive })
	if in.Device.Device != c.Hello.Device {
		t.Errorf("heard %+v", in)
	}
	testenv.Call(c, wire.RoomList, wire.None{})
}

func TestPendingDeviceListsItselfWithTheRecoveryKey(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUpPerson("Ann")
	c := site.SignIn("ann").Connect()
	keys := testenv.NewKeys(t)
	testenv.Call(c, wire.DeviceEnrol, keys.Enrol())
	res := ann.Root.Publish(c, testenv.Add(c.Hello.Device, keys))
	if res.State != wire.DeviceActive || res.Seq != 2 {
		t.Errorf("published: %+v", res)
	}
	testenv.Call(c, wire.RoomList, wire.None{}) // the very next request counts as active
}

func TestStatementsThatAreRefused(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUpPerson("Ann")
	bob := site.AddPerson("Bob")
	waiting := site.SignIn("ann").Connect()
	keys := testenv.NewKeys(t)
	testenv.Call(waiting, wire.DeviceEnrol, keys.Enrol())
	try := func(c *testenv.Socket, p wire.Publish) error {
		_, err := testenv.Try(c, wire.DevicePublish, p)
		return err
	}
	add := testenv.Add(waiting.Hello.Device, keys)

	wrongKey := ann.Root.Sign(testenv.Add(waiting.Hello.Device, testenv.NewKeys(t)))
	refused(t, try(ann.Socket, wrongKey), wire.BadRequest, "a device with other keys than it asked with")
	unknown := ann.Root.Sign(testenv.Add(wire.NewDeviceID(), keys))
	refused(t, try(ann.Socket, unknown), wire.BadRequest, "a device that is not here")
	theirs := ann.Root.Sign(testenv.Add(bob.Device, bob.Keys))
	refused(t, try(ann.Socket, theirs), wire.BadRequest, "another account's device")
	refused(t, try(bob.Socket, ann.Root.Sign(add)), wire.BadRequest, "a statement of another account")
	forged := ann.Root.Sign(add)
	forged.Statement.Signature[3] ^= 1
	refused(t, try(ann.Socket, forged), wire.BadRequest, "a forged signature")
	other := testenv.NewRoot(t, ann.Account)
	other.Last.Seq, other.Hash, other.Version = ann.Root.Last.Seq, ann.Root.Hash, ann.Root.Version
	other.Last.Devices = ann.Root.Last.Devices
	refused(t, try(ann.Socket, other.Sign(add)), wire.BadRequest, "another root")
	future := ann.Root.Sign(func(b *statement.Body) { add(b); b.Time += 48 * 3600 * 1000 })
	refused(t, try(ann.Socket, future), wire.BadRequest, "a statement from the future")
	nothing := ann.Root.Sign(func(*statement.Body) {})
	refused(t, try(waiting, nothing), wire.BadRequest, "a pending device that does not list itself")
	noVault := ann.Root.Sign(add)
	noVault.Vault = nil
	refused(t, try(ann.Socket, noVault), wire.BadRequest, "no vault")
	oldVault := ann.Root.Sign(add)
	oldVault.Version = 0
	refused(t, try(ann.Socket, oldVault), wire.Conflict, "a vault made for an older one")
	newVault := ann.Root.Sign(add)
	newVault.Version = 7
	refused(t, try(ann.Socket, newVault), wire.Conflict, "a vault made for one that is not there yet")
	late := ann.Root.Sign(func(*statement.Body) {})
	first := ann.Root.Sign(add)
	if err := try(ann.Socket, first); err != nil {
		t.Fatal(err)
	}
	refused(t, try(ann.Socket, late), wire.Conflict, "a statement that came second")

	// Nothing of all that left a trace.
	got := testenv.Call(ann.Socket, wire.DirectoryStatements, wire.GetStatements{Of: []wire.StatementsFrom{{Account: ann.Account}}})
	if n := len(got.Chains[0].Statements); n != 2 {
		t.Errorf("%d statements", n)
	}
	if v := testenv.Call(ann.Socket, wire.DeviceVault, wire.None{}); v.Version != 2 || string(v.Vault) != string(first.Vault) {
		t.Errorf("the vault is at version %d", v.Version)
	}
}

func TestRevokedDeviceHearsNothingMoreAndMayNothing(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUpPerson("Ann")
	second := ann.AddDevice()
	ann.Root.Publish(ann.Socket, testenv.Revoke(second.Device))
	// Publish has answered, so the revocation is on disk and in force.
	if status := second.Ended(); status != websocket.StatusCode(4001) {
		t.Errorf("the socket ended with %d", status)
	}
	_, resp, err := site.Dial(second.Token)
	if err == nil || resp == nil || resp.StatusCode != 401 {
		t.Errorf("a revoked device connected: %v", err)
	}
	if status, _ := site.Do("GET", wire.PathSession, second.Token, "", nil, nil); status != 401 {
		t.Errorf("its session answers %d", status)
	}
	list := testenv.Call(ann.Socket, wire.DeviceList, wire.None{})
	for _, d := range list.Devices {
		if d.Device == second.Device && d.State != wire.DeviceRevoked {
			t.Errorf("it is listed as %s", d.State)
		}
	}
}

func TestDeviceThatRevokesItselfStillHearsTheAnswer(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUpPerson("Ann")
	second := ann.AddDevice()
	res := second.Root.Publish(second.Socket, testenv.Revoke(second.Device))
	if res.State != wire.DeviceRevoked {
		t.Errorf("published: %+v", res)
	}
	second.Ended()
}

func TestDroppedDeviceIsGone(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUpPerson("Ann")
	c := site.SignIn("ann").Connect()
	refusedOwn := func() error {
		_, err := testenv.Try(ann.Socket, wire.DeviceDrop, wire.DropDevice{Device: ann.Device})
		return err
	}
	refused(t, refusedOwn(), wire.NotFound, "dropping an active device")
	bob := site.AddPerson("Bob")
	_, err := testenv.Try(bob.Socket, wire.DeviceDrop, wire.DropDevice{Device: c.Hello.Device})
	refused(t, err, wire.NotFound, "dropping another's device")
	testenv.Call(ann.Socket, wire.DeviceDrop, wire.DropDevice{Device: c.Hello.Device})
	c.Ended()
	if list := testenv.Call(ann.Socket, wire.DeviceList, wire.None{}); len(list.Devices) != 1 {
		t.Errorf("devices: %+v", list)
	}
}

func TestSignOutEndsTheSessionAlone(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUpPerson("Ann")
	second := ann.AddDevice()
	if status, e := site.Post(wire.PathSignout, second.Token, struct{}{}, nil); status != 204 {
		t.Fatalf("sign-out: %d %v", status, e)
	}
	second.Ended()
	if _, resp, err := site.Dial(second.Token); err == nil || resp.StatusCode != 401 {
		t.Errorf("it connected again: %v", err)
	}
	testenv.Call(ann.Socket, wire.SessionPing, wire.None{})
}

func TestOnlyAnAdministratorInvites(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUpPerson("Ann")
	inv := testenv.Call(ann.Socket, wire.InviteCreate, wire.None{})
	var info wire.LinkInfo
	if status, e := site.Post(wire.PathLink, "", wire.Link{Token: inv.Token}, &info); e != nil || info.Kind != "invite" || info.Org != "Testers" {
		t.Errorf("the link: %d %v %+v", status, e, info)
	}
	bob := site.AddPerson("Bob")
	_, err := testenv.Try(bob.Socket, wire.InviteCreate, wire.None{})
	refused(t, err, wire.NotFound, "an invite by who is no administrator")
}

func TestManyPendingDevicesMakeRoomForTheNewest(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUpPerson("Ann")
	oldest := site.SignIn("ann").Connect()
	for range 16 {
		site.SignIn("ann")
	}
	oldest.Ended()
	if n := len(testenv.Call(ann.Socket, wire.DeviceList, wire.None{}).Devices); n != 17 {
		t.Errorf("%d devices", n)
	}
}

func TestPresenceFollowsTheFirstAndTheLastDevice(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUpPerson("Ann")
	bob := site.AddPerson("Bob")
	is := func(online bool) func(wire.Presence) bool {
		return func(p wire.Presence) bool { return p.Account == bob.Account && p.Online == online }
	}
	testenv.EventThat(ann.Socket, wire.OnPresence, is(true))
	second := bob.AddDevice()
	bob.Close()
	testenv.Call(second.Socket, wire.SessionPing, wire.None{})
	second.Close()
	testenv.EventThat(ann.Socket, wire.OnPresence, is(false))
	people := testenv.Call(ann.Socket, wire.DirectoryPeople, wire.ListPeople{})
	for _, p := range people.People {
		if p.Online != (p.Account == ann.Account) {
			t.Errorf("%s is online: %v", p.Name, p.Online)
		}
	}
}
