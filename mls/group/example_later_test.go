package group_test

import (
	"errors"
	"fmt"

	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
)

// A third person is added. What others need of the commit is its message; the
// newcomer gets the Welcome, and the tree from the delivery service.
func ExampleGroup_Commit_add() {
	ann, bob := two()
	carol, err := group.NewSigner(mls.X25519ChaCha)
	check(err)
	public, private, err := group.NewKeyPackage(group.KeyPackageConfig{
		Suite: mls.X25519ChaCha, Signer: carol, Credential: mls.Basic([]byte("carol")),
	})
	check(err)

	pending, err := bob.Commit(group.CommitOptions{Add: []mls.KeyPackage{public}})
	check(err)
	check(bob.MergePending())

	commit, err := mls.ParsePublic(pending.Message)
	check(err)
	staged, err := ann.StageCommit(commit)
	check(err)
	for _, m := range staged.Added { // Ann judges whom Bob lets in
		fmt.Printf("Bob adds %s at leaf %d\n", m.Leaf.Credential.Identity, m.Index)
	}
	check(ann.Apply(staged))

	tree, err := ann.Public().Tree()
	check(err)
	welcome, err := mls.ParseWelcome(pending.Welcome)
	check(err)
	third, err := group.Join(welcome, public, private, group.JoinOptions{Tree: tree})
	check(err)
	fmt.Println("epoch", third.Epoch(), "same:", string(third.EpochAuthenticator()) == string(ann.EpochAuthenticator()))

	// Output:
	// Bob adds carol at leaf 2
	// epoch 2 same: true
}

// A part of the application takes its secret of the epoch, once.
func ExampleGroup_SafeExport() {
	ann, bob := two()
	const calls mls.ComponentID = 0x8001
	a, err := ann.SafeExport(calls)
	check(err)
	b, err := bob.SafeExport(calls)
	check(err)
	fmt.Println("the same for both:", a.Equal(b))
	_, err = ann.SafeExport(calls)
	fmt.Println("again:", errors.Is(err, group.ErrExported))
	fmt.Println("printed:", a)

	// Output:
	// the same for both: true
	// again: true
	// printed: secret
}

// A group moves to another cipher suite: it is closed, and a new one follows it.
func ExampleReinit() {
	ann, bob := two()
	next := &mls.ReInit{GroupID: []byte("g, second"), Version: mls.MLS10, Suite: mls.HybridX25519MLKEM768}
	end, err := ann.Commit(group.CommitOptions{ReInit: next})
	check(err)
	check(ann.MergePending())
	commit, err := mls.ParsePublic(end.Message)
	check(err)
	staged, err := bob.StageCommit(commit)
	check(err)
	check(bob.Apply(staged))
	_, err = bob.Seal([]byte("one more thing"), nil)
	fmt.Println("closed:", errors.Is(err, mls.ErrReInit))

	// Both have keys for the new suite; here the signature scheme is the same.
	annKey, err := group.NewSigner(next.Suite)
	check(err)
	bobKey, err := group.NewSigner(next.Suite)
	check(err)
	public, private, err := group.NewKeyPackage(group.KeyPackageConfig{
		Suite: next.Suite, Signer: bobKey, Credential: mls.Basic([]byte("bob")),
	})
	check(err)
	// Any member may start the new group.
	newAnn, pending, err := group.Reinit(ann, group.Config{Signer: annKey, Credential: mls.Basic([]byte("ann"))},
		group.CommitOptions{Add: []mls.KeyPackage{public}, TreeInWelcome: true})
	check(err)
	check(newAnn.MergePending())
	welcome, err := mls.ParseWelcome(pending.Welcome)
	check(err)
	_, err = group.Join(welcome, public, private, group.JoinOptions{})
	fmt.Println("without the old group:", errors.Is(err, mls.ErrLink))
	newBob, err := group.Join(welcome, public, private, group.JoinOptions{From: bob})
	check(err)
	fmt.Println(newBob.Public().Context().Suite)

	// Output:
	// closed: true
	// without the old group: true
	// MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519
}

// What was said in an epoch that is over is read from its record.
func ExampleReader() {
	ann, bob := two()
	ann.Records().Keep(group.RecordBeginnings) // from the next epoch on
	roster := group.RosterOf(ann.Public())
	pending, err := ann.Commit(group.CommitOptions{})
	check(err)
	check(ann.MergePending())
	commit, err := mls.ParsePublic(pending.Message)
	check(err)
	staged, err := bob.StageCommit(commit)
	check(err)
	check(bob.Apply(staged))
	sealed, err := bob.Seal([]byte("Remember this."), nil)
	check(err)

	for _, record := range ann.Records().Take() { // stored somewhere safe, with Export
		reader, err := group.NewReader(record, roster)
		check(err)
		message, err := mls.ParsePrivate(sealed)
		check(err)
		opened, err := reader.Open(message)
		check(err)
		fmt.Printf("%s: %s\n", reader.Roster()[opened.Sender].Credential.Identity, opened.Plaintext)
	}

	// Output:
	// bob: Remember this.
}
