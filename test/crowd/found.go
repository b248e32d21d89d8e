package crowd

import (
	"testing"

	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/wire"
)

// suite is the cheapest: nobody seals anything.
const suite = mls.X25519AES128

// found makes a group in which writers and readers have a leaf each.
func found(tb testing.TB, writers, readers []*testenv.Person) wire.RoomID {
	tb.Helper()
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	capabilities := group.DefaultCapabilities(mls.ExtensionType(policy.Extension))
	owner, others := writers[0], append(append([]*testenv.Person{}, writers[1:]...), readers...)
	signer, err := group.ParseSigner(suite, owner.Keys.Leaf.Seed())
	must(err)

	ask := wire.ClaimKeys{}
	for _, p := range others {
		s, err := group.ParseSigner(suite, p.Keys.Leaf.Seed())
		must(err)
		kp, _, err := group.NewKeyPackage(group.KeyPackageConfig{Suite: suite, Signer: s, Credential: credential(p), Capabilities: &capabilities})
		must(err)
		b, err := mls.Marshal(&kp)
		must(err)
		testenv.Call(p.Socket, wire.KeyUpload, wire.UploadKeys{Packages: [][]byte{b}})
		ask.Accounts = append(ask.Accounts, p.Account)
	}
	var add []mls.KeyPackage
	for _, claimed := range testenv.Call(owner.Socket, wire.KeyClaim, ask).Packages {
		var kp mls.KeyPackage
		err := mls.Unmarshal(claimed.Package, &kp)
		must(err)
		add = append(add, kp)
	}
	if len(add) != len(others) {
		tb.Fatalf("%d key packages for %d devices", len(add), len(others))
	}

	rules, err := policy.Policy{Kind: wire.Group, Owners: policy.Sorted(owner.Account)}.Encode()
	must(err)
	id := wire.NewRoomID()
	g, err := group.Create(group.Config{
		Suite: suite, GroupID: id[:], Signer: signer, Credential: credential(owner), Capabilities: &capabilities,
		Extensions: mls.Extensions{{Type: mls.ExtensionType(policy.Extension), Data: rules}},
	})
	must(err)
	info, err := g.GroupInfo(true)
	must(err)
	client := wire.NewClientID()
	first, err := g.Commit(group.CommitOptions{Add: add, NoPath: true, AuthenticatedData: policy.CommitData{Client: client}.Encode()})
	must(err)
	testenv.Call(owner.Socket, wire.RoomCreate, wire.CreateRoom{
		Room: id, Kind: wire.Group, Info: info,
		First: wire.GroupUpload{Client: client, Commit: first.Message, Welcome: first.Welcome, GroupInfo: first.GroupInfo},
	})
	return id
}

func credential(p *testenv.Person) mls.Credential {
	return mls.Basic(policy.Identity(p.Account, p.Device))
}

// epoch is the one that every room is in: the first commit began it.
const epoch = 1

// message makes what the server takes for a sealed message. Token stands in
// front, and ends with a zero byte.
func message(room wire.RoomID, client wire.ClientID, token string, noise []byte) (wire.Sealed, error) {
	m := mls.PrivateMessage{
		GroupID: room[:], Epoch: epoch, Type: mls.ContentApplication,
		AuthenticatedData: policy.MessageData{Client: client}.Encode(),
		SenderData:        noise[:12],
		Ciphertext:        append(append([]byte(token), 0), noise...),
	}
	return mls.Marshal(&mls.Message{Private: &m})
}
