package mls

import (
	"bytes"
	"reflect"
	"runtime"
	"testing"
	"time"
)

// objects are all that can be decoded, by the number under which FuzzObject
// knows them. New ones go to the end: corpora name them by number.
var objects = []func() codec{
	func() codec { return new(Extension) },
	func() codec { return new(Extensions) },
	func() codec { return new(RequiredCapabilities) },
	func() codec { return new(Capabilities) },
	func() codec { return new(Credential) },
	func() codec { return new(LeafNode) },
	func() codec { return new(KeyPackage) },
	func() codec { return new(GroupContext) },
	func() codec { return new(GroupInfo) },
	func() codec { return new(Welcome) },
	func() codec { return new(Proposal) },
	func() codec { return new(ProposalOrRef) },
	func() codec { return new(PreSharedKeyID) },
	func() codec { return new(UpdatePathNode) },
	func() codec { return new(UpdatePath) },
	func() codec { return new(Commit) },
	func() codec { return new(Sender) },
	func() codec { return new(FramedContent) },
	func() codec { return new(AuthenticatedContent) },
	func() codec { return new(PublicMessage) },
	func() codec { return new(PrivateMessage) },
	func() codec { return new(HPKECiphertext) },
	func() codec { return new(ParentNode) },
	func() codec { return new(ExternalSender) },
	func() codec { return new(AppData) },
	func() codec { return new(AppDataUpdate) },
	func() codec { return new(Message) },
	func() codec { return new(ReInit) },
}

// samples has at least one value for each of objects.
func samples() []codec {
	leaf := LeafNode{
		EncryptionKey: bytes.Repeat([]byte{1}, 32), SignatureKey: bytes.Repeat([]byte{2}, 32), Credential: Basic([]byte("ann")),
		Capabilities: Capabilities{Versions: []Version{MLS10}, Suites: []Suite{1, 3}, Extensions: []ExtensionType{10}, Proposals: []ProposalType{10}, Credentials: []CredentialType{1, 2}},
		Source:       LeafKeyPackage, Lifetime: Lifetime{1, 2}, Extensions: Extensions{{1, []byte("id")}}, Signature: []byte("signature"),
	}
	updated, committed := leaf, leaf
	updated.Source, committed.Source, committed.ParentHash = LeafUpdate, LeafCommit, []byte("parent hash")
	certified := leaf
	certified.Credential = Credential{Type: CredentialX509, Certificates: [][]byte{{1, 2}, {3}}}
	kp := KeyPackage{Version: MLS10, Suite: 1, InitKey: []byte("init"), Leaf: leaf, Extensions: Extensions{{10, []byte{}}}, Signature: []byte("s")}
	context := GroupContext{Version: MLS10, Suite: 1, GroupID: []byte("g"), Epoch: 7, TreeHash: []byte("t"), ConfirmedTranscriptHash: []byte("c"), Extensions: Extensions{{3, []byte{0, 0, 0}}}}
	info := &GroupInfo{Context: context, Extensions: Extensions{ExternalPubExtension([]byte("pub"))}, ConfirmationTag: []byte("tag"), Signer: 3, Signature: []byte("s")}
	sealed := HPKECiphertext{KEMOutput: []byte("kem"), Ciphertext: []byte("ct")}
	welcome := &Welcome{Suite: 1, Secrets: []EncryptedGroupSecrets{{[]byte("ref"), sealed}}, EncryptedGroupInfo: []byte("info")}
	node := UpdatePathNode{EncryptionKey: []byte("k"), Secrets: []HPKECiphertext{sealed, sealed}}
	path := &UpdatePath{Leaf: committed, Nodes: []UpdatePathNode{node}}
	psk := PreSharedKeyID{Type: PSKExternal, ID: []byte("id"), Nonce: []byte("n")}
	resumption := PreSharedKeyID{Type: PSKResumption, Usage: PSKBranch, GroupID: []byte("g"), Epoch: 9, Nonce: []byte("n")}
	proposals := []Proposal{
		ProposeAdd(kp), ProposeUpdate(updated), ProposeRemove(3), ProposePSK(psk), ProposePSK(resumption), ProposeExternalInit([]byte("kem")),
		ProposeExtensions(Extensions{{2, []byte("x")}}), ProposeSelfRemove(), ProposeAppData(AppDataUpdate{Component: 4, Data: []byte("d")}),
		{Type: ProposalReInit, ReInit: &ReInit{GroupID: []byte("n"), Version: MLS10, Suite: 3, Extensions: Extensions{{1, []byte{}}}}},
	}
	commit := &Commit{Proposals: []ProposalOrRef{{Ref: []byte("ref")}}, Path: path}
	out := []codec{
		&leaf.Extensions[0], &leaf.Extensions, &RequiredCapabilities{Extensions: []ExtensionType{1}}, &leaf.Capabilities, &leaf.Credential, &certified.Credential,
		&leaf, &updated, &committed, &certified, &kp, &context, info, welcome, &psk, &resumption, &node, path, commit, &sealed,
		&ParentNode{EncryptionKey: []byte("k"), ParentHash: []byte("h"), Unmerged: []LeafIndex{1, 4}},
		&ReInit{GroupID: []byte("n"), Version: MLS10, Suite: 3}, &ExternalSender{SignatureKey: []byte("k"), Credential: Basic(nil)}, &AppData{{1, []byte("a")}, {9, nil}},
		&AppDataUpdate{Component: 1, Data: []byte("d")}, &AppDataUpdate{Component: 1, Remove: true},
		&PrivateMessage{GroupID: []byte("g"), Epoch: 1, Type: ContentCommit, SenderData: []byte("s"), Ciphertext: []byte("c")},
		&Message{Welcome: welcome}, &Message{GroupInfo: info}, &Message{KeyPackage: &kp},
		&Message{Private: &PrivateMessage{GroupID: []byte("g"), Type: ContentApplication}},
	}
	frame := func(f FramedContent) {
		f.GroupID, f.Epoch, f.AuthenticatedData = []byte("g"), 1, []byte("ad")
		for _, s := range []Sender{MemberSender(4), {Type: SenderExternal, Index: 1}, {Type: SenderNewMemberProposal}, {Type: SenderNewMemberCommit}} {
			f.Sender = s
			auth := ContentAuth{Signature: []byte("s"), ConfirmationTag: []byte("c")}
			public := &PublicMessage{Content: f, Auth: auth, MembershipTag: []byte("m")}
			out = append(out, &s, &f, &AuthenticatedContent{WirePrivateMessage, f, auth}, public, &Message{Public: public})
		}
	}
	for i := range proposals {
		commit.Proposals = append(commit.Proposals, ProposalOrRef{Proposal: &proposals[i]})
		out = append(out, &proposals[i], &commit.Proposals[i+1])
		frame(FramedContent{Type: ContentProposal, Proposal: &proposals[i]})
	}
	frame(FramedContent{Type: ContentCommit, Commit: commit})
	frame(FramedContent{Type: ContentApplication, ApplicationData: []byte("hello")})
	return out
}

// kindOf is the number in objects of v's type.
func kindOf(v codec) int {
	for i, fresh := range objects {
		if reflect.TypeOf(fresh()) == reflect.TypeOf(v) {
			return i
		}
	}
	return -1
}

// TestSamplesCoverAllObjects: whatever can be decoded has a sample, and each
// sample comes back as it was.
func TestSamplesCoverAllObjects(t *testing.T) {
	seen := map[int]bool{}
	for _, v := range samples() {
		kind := kindOf(v)
		if kind < 0 {
			t.Fatalf("%T is not among the objects", v)
		}
		seen[kind] = true
		b, err := Marshal(v)
		if err != nil {
			t.Fatalf("%T: %v", v, err)
		}
		roundTrip(t, objects[kind](), b, true)
	}
	for i, fresh := range objects {
		if !seen[i] {
			t.Errorf("no sample of %T", fresh())
		}
	}
}

// roundTrip checks that whatever decodes has one encoding, the one it was decoded
// from.
func roundTrip(t *testing.T, v codec, b []byte, must bool) {
	t.Helper()
	if err := Unmarshal(b, v); err != nil {
		if must {
			t.Fatalf("%T: %v", v, err)
		}
		return
	}
	again, err := Marshal(v)
	if err != nil {
		t.Fatalf("%T was decoded and has no encoding: %v", v, err)
	}
	if !bytes.Equal(again, b) {
		t.Fatalf("two encodings of one %T\n%x\n%x", v, b, again)
	}
}

// FuzzObject decodes any bytes as any object.
func FuzzObject(f *testing.F) {
	for _, v := range samples() {
		if b, err := Marshal(v); err == nil {
			f.Add(uint8(kindOf(v)), b)
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		roundTrip(t, objects[int(kind)%len(objects)](), b, false)
	})
}

// FuzzMessage decodes what comes from outside, and hands it to whatever looks at
// a message without a group.
func FuzzMessage(f *testing.F) {
	for _, v := range samples() {
		if m, ok := v.(*Message); ok {
			if b, err := Marshal(m); err == nil {
				f.Add(b)
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseMessage(b)
		if err != nil {
			return
		}
		roundTrip(t, new(Message), b, true)
		switch {
		case m.KeyPackage != nil:
			_ = m.KeyPackage.Verify(time.Time{})
			_, _ = m.KeyPackage.Ref()
			_ = m.KeyPackage.LastResort()
		case m.GroupInfo != nil:
			_, _ = NewPublicGroup(m.GroupInfo, nil)
			_, _, _ = m.GroupInfo.Extensions.ExternalPub()
			_, _ = m.GroupInfo.Context.Extensions.ExternalSenders()
			_, _ = m.GroupInfo.Context.Extensions.RequiredCapabilities()
			_, _ = m.GroupInfo.Context.Extensions.AppData()
		case m.Welcome != nil:
			_, _ = m.Welcome.For([]byte("ref"))
		}
	})
}

// FuzzTree decodes any bytes as a ratchet tree of any suite.
func FuzzTree(f *testing.F) {
	var e Encoder
	leaf := samples()[6].(*LeafNode)
	e.Vector(func() {
		for _, n := range []node{{leaf: leaf}, {parent: &ParentNode{EncryptionKey: []byte("k"), Unmerged: []LeafIndex{1}}}, {leaf: leaf}, {}, {leaf: leaf}} {
			n.marshal(&e)
		}
	})
	f.Add(uint8(0), e.buf)
	f.Add(uint8(1), []byte{0})
	f.Add(uint8(2), append([]byte{0x40, 0x80}, make([]byte, 128)...))
	f.Fuzz(func(t *testing.T, suite uint8, b []byte) {
		s := Suites()[int(suite)%len(Suites())]
		tree, err := ParseTree(s, b)
		if err != nil {
			return
		}
		_ = tree.Hash()
		for x := range tree.nodes {
			_ = tree.Resolution(NodeIndex(x), nil)
		}
		for _, m := range tree.Members() {
			_ = tree.FilteredPath(m.Index)
		}
		_ = tree.verify([]byte("g"), nil)
		again, err := Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again, b) {
			t.Fatalf("two encodings of one tree\n%x\n%x", b, again)
		}
	})
}

// TestDecoderSpendsNoMoreThanItIsGiven: the smallest items make the most of a
// message; even so it costs no more than some hundred bytes of memory for each
// byte that had to be sent.
func TestDecoderSpendsNoMoreThanItIsGiven(t *testing.T) {
	many := func(n int, item ...byte) []byte {
		var e Encoder
		e.Bytes(bytes.Repeat(item, n))
		return e.buf
	}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for _, tt := range []struct {
		name   string
		b      []byte
		decode func(b []byte)
	}{
		{"references", join(many(maxProposals, 2, 0), []byte{0}), func(b []byte) { _ = Unmarshal(b, new(Commit)) }},
		{"self_removes", join(many(maxProposals, 1, 0, 10), []byte{0}), func(b []byte) { _ = Unmarshal(b, new(Commit)) }},
		{"empty extensions", many(maxExtensions, 0, 1, 0), func(b []byte) { _ = Unmarshal(b, new(Extensions)) }},
		{"sealed secrets", join([]byte{0}, many(maxLeaves, 0, 0)), func(b []byte) { _ = Unmarshal(b, new(UpdatePathNode)) }},
		{"joiners", join([]byte{0, 1}, many(maxLeaves, 0, 0, 0), []byte{0}), func(b []byte) { _ = Unmarshal(b, new(Welcome)) }},
		{"blank nodes", many(maxNodes, 0), func(b []byte) { _, _ = ParseTree(X25519AES128, b) }},
		{"a length that is not there", []byte{0, 1, 0xbf, 0xff, 0xff, 0xff}, func(b []byte) { _ = Unmarshal(b, new(Extension)) }},
		{"an application message that is not there", join([]byte{0, 1, 0, 2, 0}, make([]byte, 8), []byte{1, 0, 0, 0xbf, 0xff, 0xff, 0xff}), func(b []byte) {
			_, _ = ParseMessage(b)
		}},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		tt.decode(tt.b)
		runtime.ReadMemStats(&after)
		if spent, most := after.TotalAlloc-before.TotalAlloc, uint64(400*len(tt.b)+64<<10); spent > most {
			t.Errorf("%s: %d bytes of memory for %d bytes sent", tt.name, spent, len(tt.b))
		}
	}
}
