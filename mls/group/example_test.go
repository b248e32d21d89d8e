package group_test

import (
	"fmt"
	"log"

	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
)

// Two people meet: Ann founds a group, adds Bob with the key package that he
// published, and they talk.
func Example() {
	suite := mls.HybridX25519MLKEM768
	annKey, err := group.NewSigner(suite)
	check(err)
	bobKey, err := group.NewSigner(suite)
	check(err)

	// Bob publishes the key package and keeps its secrets.
	public, private, err := group.NewKeyPackage(group.KeyPackageConfig{
		Suite: suite, Signer: bobKey, Credential: mls.Basic([]byte("bob")),
	})
	check(err)

	ann, err := group.Create(group.Config{
		Suite: suite, GroupID: []byte("lunch"), Signer: annKey, Credential: mls.Basic([]byte("ann")),
	})
	check(err)
	pending, err := ann.Commit(group.CommitOptions{Add: []mls.KeyPackage{public}, TreeInWelcome: true})
	check(err)
	// The delivery service accepts the commit; only then Ann moves on.
	check(ann.MergePending())

	welcome, err := mls.ParseWelcome(pending.Welcome)
	check(err)
	bob, err := group.Join(welcome, public, private, group.JoinOptions{})
	check(err)
	for _, m := range bob.Public().Members() { // Bob looks who is there before he trusts it
		fmt.Printf("%d %s\n", m.Index, m.Leaf.Credential.Identity)
	}

	sealed, err := ann.Seal([]byte("Soup at one?"), nil)
	check(err)
	message, err := mls.ParsePrivate(sealed)
	check(err)
	opened, err := bob.Open(message)
	check(err)
	fmt.Printf("from %d: %s\n", opened.Sender, opened.Plaintext)

	a, err := ann.Export("example.org call key", nil, 32)
	check(err)
	b, err := bob.Export("example.org call key", nil, 32)
	check(err)
	fmt.Println("same exported key:", string(a) == string(b))

	// Output:
	// 0 ann
	// 1 bob
	// from 0: Soup at one?
	// same exported key: true
}

// A member is removed: it can read that it was, and nothing after.
func ExampleGroup_Commit_remove() {
	ann, bob := two()
	pending, err := ann.Commit(group.CommitOptions{Remove: []mls.LeafIndex{bob.OwnLeaf()}})
	check(err)
	check(ann.MergePending())

	commit, err := mls.ParsePublic(pending.Message)
	check(err)
	staged, err := bob.StageCommit(commit) // Bob judges it before it takes effect
	check(err)
	fmt.Println("removes us:", staged.RemovesUs)
	check(bob.Apply(staged))
	_, err = bob.Seal([]byte("wait"), nil)
	fmt.Println(err)

	// Output:
	// removes us: true
	// seal: group: no longer a member
}

// A server follows a group without its secrets, and keeps it row by row.
func Example_server() {
	ann, bob := two()
	founding, err := ann.GroupInfo(true)
	check(err)
	info, err := mls.ParseGroupInfo(founding)
	check(err)
	server, err := mls.NewPublicGroup(info, nil)
	check(err)

	pending, err := bob.Commit(group.CommitOptions{AuthenticatedData: []byte("fresh keys")})
	check(err)
	commit, err := mls.ParsePublic(pending.Message)
	check(err)
	staged, err := server.StageCommit(commit)
	check(err)
	fmt.Printf("leaf %d, epoch %d: %s\n", staged.Committer, staged.Context.Epoch, staged.AuthenticatedData)
	check(server.Apply(staged))
	next, err := mls.ParseGroupInfo(pending.GroupInfo)
	check(err)
	check(server.CheckGroupInfo(next))

	disk := rows{}
	check(server.Save(disk))
	again, err := mls.LoadPublicGroup(disk)
	check(err)
	fmt.Println("epoch", again.Epoch(), "with", len(again.Members()), "members")

	// Output:
	// leaf 1, epoch 2: fresh keys
	// epoch 2 with 2 members
}

// rows is an mls.Storage in memory; a real one writes into the caller's
// transaction.
type rows map[string][]byte

func (r rows) Get(key string) ([]byte, error)     { return r[key], nil }
func (r rows) Put(key string, value []byte) error { r[key] = value; return nil }
func (r rows) Delete(key string) error            { delete(r, key); return nil }

// two returns the groups of two members.
func two() (ann, bob *group.Group) {
	suite := mls.X25519ChaCha
	annKey, err := group.NewSigner(suite)
	check(err)
	bobKey, err := group.NewSigner(suite)
	check(err)
	ann, err = group.Create(group.Config{Suite: suite, GroupID: []byte("g"), Signer: annKey, Credential: mls.Basic([]byte("ann"))})
	check(err)
	public, private, err := group.NewKeyPackage(group.KeyPackageConfig{Suite: suite, Signer: bobKey, Credential: mls.Basic([]byte("bob"))})
	check(err)
	pending, err := ann.Commit(group.CommitOptions{Add: []mls.KeyPackage{public}, TreeInWelcome: true})
	check(err)
	check(ann.MergePending())
	welcome, err := mls.ParseWelcome(pending.Welcome)
	check(err)
	bob, err = group.Join(welcome, public, private, group.JoinOptions{})
	check(err)
	return ann, bob
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
