package group

import (
	"testing"

	"github.com/veche-im/veche/mls"
)

// rule is something that every receiver must refuse. The numbers are those of
// the list of semantic validations in the book of OpenMLS, which others cite
// too; the sentences are ours, after the RFC.
type rule struct {
	number   int
	section  string // of RFC 9420
	sentence string
	want     error // documented in mls/errors.go or errors.go
}

var rules = []rule{
	{2, "6", "A message is for the group that its group_id names, and no other takes it.", mls.ErrGroupID},
	{3, "6, 12.4.2", "A handshake message is of the epoch that the receiver is in.", mls.ErrEpoch},
	{4, "6.1", "A member that sends sits at a leaf that is not blank.", mls.ErrSender},
	{5, "6", "Application data is never sent as a PublicMessage.", mls.ErrPublicApplication},
	{6, "6.3", "What does not decrypt is refused, for one and the same reason.", ErrOpen},
	{7, "6.2", "A member's PublicMessage has a membership tag.", mls.ErrMembershipTag},
	{8, "6.2", "The membership tag is the right one.", mls.ErrMembershipTag},
	{9, "6.1", "A commit has a confirmation tag.", mls.ErrConfirmation},
	{10, "6.1", "The signature of a message verifies under its sender's key, for its wire format and context.", mls.ErrSignature},
	{11, "6.3.1", "The padding of a PrivateMessage is zeros.", ErrOpen},

	{101, "7.3, 12.2", "A newcomer's signature key is nobody else's in the group, newcomers included.", mls.ErrDuplicateClient},
	{102, "10.1", "Two newcomers do not share an init key.", mls.ErrInitKey},
	{103, "7.3", "A newcomer's encryption key stands nowhere else in the tree.", mls.ErrDuplicateKey},
	{104, "10.1", "The init key and the encryption key of a key package differ.", mls.ErrInitKey},
	{105, "12.1.1", "A key package is of the group's suite and version.", mls.ErrKeyPackage},
	{106, "7.3, 11.1", "A newcomer has the capabilities that the group requires.", mls.ErrCapabilities},
	{107, "12.2", "A commit removes a member once, and does not update it too.", mls.ErrDoubleProposal},
	{108, "12.1.3", "Whoever is removed is a member.", mls.ErrNotMember},
	{109, "7.3, 11.1", "An updated leaf has the capabilities that the group requires.", mls.ErrCapabilities},
	{110, "7.3", "The encryption key of an Update is new to the tree.", mls.ErrDuplicateKey},
	{111, "12.2", "A committer does not commit its own Update.", mls.ErrOwnProposal},
	{112, "12.1.8", "Only a member may propose to update itself.", mls.ErrSender},
	{113, "12.2", "All members support the type of a proposal.", mls.ErrUnsupportedProposal},

	{200, "12.2", "A committer does not remove itself.", mls.ErrOwnProposal},
	{201, "12.4", "A commit has a path if one of its proposals needs one, or if it has none.", mls.ErrPathRequired},
	{202, "7.5, 7.6", "A path has a key for each node of the filtered direct path, and a secret for each node of the resolution.", mls.ErrPath},
	{203, "7.5", "The path secret that is meant for the receiver opens.", ErrUndecryptable},
	{204, "7.5", "The keys that follow from a path secret are those in the path.", ErrUndecryptable},
	{205, "12.4.2", "The confirmation tag is that of the epoch that the receiver arrives at.", mls.ErrConfirmation},
	{206, "7.3, 12.4.2", "The encryption key of the path's leaf stands nowhere in the tree.", mls.ErrDuplicateKey},
	{207, "12.4.2", "No key of a path stands in the tree, or twice in the path.", mls.ErrDuplicateKey},
	{208, "12.2", "A commit changes the group's extensions once.", mls.ErrDoubleProposal},
	{209, "12.1.7, 13.4", "All members support the extensions that the group is given.", mls.ErrExtension},

	{240, "12.2", "An external commit has an ExternalInit.", mls.ErrExternalCommit},
	{241, "12.2", "It has no more than one.", mls.ErrExternalCommit},
	{242, "12.2", "Beside it stand a Remove, PreSharedKeys, and nothing that it may not have.", mls.ErrExternalCommit},
	{243, "12.2", "Whoever an external commit removes is the joiner itself, come back.", nil}, // TestJoinerThatRemovesAnother
	{244, "12.2", "It refers to no proposal of others (but to a SelfRemove, as the extensions draft allows).", mls.ErrExternalCommit},
	{245, "12.2", "It has a path.", mls.ErrExternalCommit},
	{246, "12.4.3.2", "It is signed with the signature key of the leaf in its path.", mls.ErrSignature},

	{300, "12.4.3.3", "A ratchet tree does not end with a blank node.", mls.ErrTree},

	{400, "8.6", "Resumption PSKs of the past are kept for some epochs and no longer.", mls.ErrPSK},
	{401, "8.4, 12.1.4", "The nonce of a PSK is as long as the suite's hash.", mls.ErrPSK},
	{402, "12.1.4", "A proposed PSK is external, or a resumption PSK for the application's use.", mls.ErrPSK},
	{403, "12.2", "A commit injects the same PSK once.", mls.ErrPSK},
}

// attack is one way to break a rule.
type attack struct {
	rule   int // 0 for a rule without a number
	name   string
	want   error // if rule is 0; else that of the rule
	hidden bool  // the server cannot see it and takes the message
	as     mls.ContentType
	forge  func(c *court) *forgery

	inPrivate error // what a member says to the same as PrivateMessage, if not the same
	wire      mls.WireFormat
}

// TestRules lets mallory break each rule, in both framings and with two suites.
// Each attack is a message that would be good but for the one rule: signed,
// tagged, with the leaves in it signed anew. The member and, unless it would
// need secrets, the server refuse it for the reason that belongs to the rule,
// and store afterwards what they stored before, byte by byte.
//
// A confirmation tag can be made only for a commit that leads somewhere. Where
// the broken commit leads nowhere it is zeros; it is checked last, and whoever
// left the rule out would refuse for ErrConfirmation, which is not the rule's.
func TestRules(t *testing.T) {
	var attacks []attack
	for _, list := range [][]attack{frameAttacks(), listAttacks(), keyPackageAttacks(), pathAttacks(), proposalAttacks(), externalAttacks()} {
		attacks = append(attacks, list...)
	}
	byNumber := map[int]rule{}
	for _, r := range rules {
		byNumber[r.number] = r
	}
	elsewhere := map[int]string{243: "TestJoinerThatRemovesAnother", 300: "TestRefusesTrees"}
	covered := map[int]int{}
	for i := range attacks {
		a := &attacks[i]
		if a.rule == 0 {
			continue
		}
		r, ok := byNumber[a.rule]
		if !ok || a.want != nil {
			t.Fatalf("%s: rule %d is not in the table, or the attack wants something else", a.name, a.rule)
		}
		a.want = r.want
		covered[a.rule]++
	}
	for _, r := range rules {
		if covered[r.number] == 0 && elsewhere[r.number] == "" {
			t.Errorf("nothing attacks rule %d: %s (RFC 9420 §%s)", r.number, r.sentence, r.section)
		}
	}
	for _, s := range []mls.Suite{mls.X25519AES128, mls.HybridX25519MLKEM768} {
		t.Run(s.String(), func(t *testing.T) {
			c := newLaws(t, s)
			for _, a := range attacks {
				t.Run(a.label(), func(t *testing.T) {
					c.t = t
					a.run(c)
				})
			}
			c.t = t
			c.commit(c.mallory, CommitOptions{}, nil) // after all that, everybody can go on
		})
	}
}

func (a *attack) label() string {
	if a.rule == 0 {
		return a.name
	}
	return string(rune('0'+a.rule/100)) + string(rune('0'+a.rule/10%10)) + string(rune('0'+a.rule%10)) + " " + a.name
}

func (a *attack) run(c *court) {
	c.t.Helper()
	if a.wire != mls.WirePrivateMessage {
		c.refusedPublic(a.forge(c).public(c), *a)
	}
	if a.wire != mls.WirePublicMessage {
		f := a.forge(c)
		want, as := a.want, a.as
		if a.inPrivate != nil {
			want = a.inPrivate
		}
		if as == 0 {
			as = f.content.Type
		}
		c.refusedPrivate(f.private(c), as, want)
	}
}

// TestGoodForgeriesPass: what the attacks are made from is accepted as it is, in
// both framings, so that it is the broken rule that they are refused for.
func TestGoodForgeriesPass(t *testing.T) {
	for _, s := range []mls.Suite{mls.X25519AES128, mls.HybridX25519MLKEM768} {
		c := newLaws(t, s)
		kp, _ := c.client().keyPackage(t, s)
		for name, opts := range map[string]CommitOptions{
			"a path":              {},
			"an add":              {Add: []mls.KeyPackage{kp}, NoPath: true},
			"a removal":           {Remove: []mls.LeafIndex{c.members[0].group.OwnLeaf()}},
			"everything together": {Add: []mls.KeyPackage{kp}, Remove: []mls.LeafIndex{c.members[0].group.OwnLeaf()}},
		} {
			m := c.good(opts).public(c)
			if err := c.toServer(m, mls.ContentCommit); err != nil {
				t.Errorf("%v: %s: the server says %v", s, name, err)
			}
			if err := c.toVictim(m, mls.ContentCommit); err != nil {
				t.Errorf("%v: %s: a member says %v", s, name, err)
			}
			p := must(c.mallory.group.Commit(CommitOptions{Add: opts.Add, Remove: opts.Remove, NoPath: opts.NoPath, Private: true}))
			content := c.mallory.group.pending.content
			f := &forgery{content: content.Content, confirmation: content.Auth.ConfirmationTag, spoil: func(a *mls.AuthenticatedContent, _ func(mls.WireFormat)) {
				a.Auth = content.Auth
			}}
			h, err := c.victim.group.Unprotect(f.private(c))
			if err != nil {
				t.Fatalf("%v: %s: in private: %v", s, name, err)
			}
			if staged, err := h.Stage(); err != nil || !macEqual(staged.EpochAuthenticator(), p.EpochAuthenticator()) {
				t.Errorf("%v: %s: in private a member says %v", s, name, err)
			}
			c.mallory.group.ClearPending()
		}
	}
}
