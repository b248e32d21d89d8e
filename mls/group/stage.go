package group

import (
	"bytes"

	"github.com/veche-im/veche/mls"
)

// Staged is a commit that was verified and not yet applied. What it does is in
// the embedded description.
type Staged struct {
	*mls.StagedPublicCommit
	RemovesUs bool // this member is out after the commit; nothing of the new epoch can be derived

	own        bool   // made by this Group
	signer     Signer // ours after the commit
	epoch      *epochSecrets
	encryption Secret
	keys       map[mls.NodeIndex]*Secret
}

// Export derives a secret of the epoch that the commit starts, like Group.Export.
// It is ErrRemoved if the commit removes us, mls.ErrStale if it is one of our own
// that was cleared.
func (s *Staged) Export(label string, context []byte, n int) ([]byte, error) {
	if err := s.gone(); err != nil {
		return nil, err
	}
	return exportFrom(s.epoch, s.Context.Suite, label, context, n)
}

// gone is why a commit has no secrets, nil if it has: it removes us, or it is a
// commit of our own that was cleared or lost, and was wiped.
func (s *Staged) gone() error {
	switch {
	case s.RemovesUs:
		return ErrRemoved
	case s.epoch == nil:
		return mls.ErrStale
	}
	return nil
}

// EpochAuthenticator is that of the epoch that the commit starts.
func (s *Staged) EpochAuthenticator() []byte {
	if s.epoch == nil {
		return nil
	}
	return s.epoch.authenticator.Export()
}

// StageCommit verifies m in full, decrypts its path and checks its confirmation
// tag. The group does not change. If m is the pending commit of this member,
// the result is that one.
func (g *Group) StageCommit(m *mls.PublicMessage) (*Staged, error) {
	if g.pending != nil {
		if b, err := mls.Marshal(mls.Message{Public: m}); err == nil && bytes.Equal(b, g.pending.message) {
			return g.pending.restage(g)
		}
	}
	if err := g.active(); err != nil {
		return nil, err
	}
	a, err := framingOf(g).authenticate(m)
	if err != nil {
		return nil, err
	}
	return (&Handshake{g, a}).Stage()
}

// stage follows a commit into its epoch (RFC 9420 §12.4.2). own holds the
// secrets of a commit that this member made itself, else nil.
func (g *Group) stage(a *mls.AuthenticatedContent, own *commitSecrets) (*Staged, error) {
	public, err := g.public.StageContent(a)
	if err != nil {
		return nil, err
	}
	out := &Staged{StagedPublicCommit: public, own: own != nil}
	for _, m := range public.Removed {
		if m.Index == g.leaf && own == nil {
			out.RemovesUs = true
			return out, nil
		}
	}
	at, signer := g.leaf, Secret{}
	if own != nil {
		at, signer = public.Committer, own.signer
	} else if err := validateCommit(g, public, g.leaf); err != nil {
		return nil, err
	}
	if out.signer, err = nextSigner(g, public.Tree(), at, signer); err != nil {
		return nil, err
	}
	var psk Secret
	current := g.public.Context()
	if own != nil {
		psk = own.psk
	} else if psk, err = g.psks.secret(public.Draft().PSKs(), &current, g.epoch); err != nil {
		return nil, err
	}
	out.keys = keysFor(g, public.Tree())
	commit, err := out.commitSecret(g.leaf, own)
	if err != nil {
		return nil, err
	}
	init, err := out.initSecret(g.epoch, own)
	if err != nil {
		return nil, err
	}
	if _, err := out.enter(init, commit, psk); err != nil {
		return nil, err
	}
	if !macEqual(a.Auth.ConfirmationTag, out.epoch.confirmationTag(&public.Context)) {
		return nil, mls.ErrConfirmation
	}
	return out, nil
}

// enter derives the epoch of the commit and returns its joiner secret.
func (s *Staged) enter(init, commit, psk Secret) (joiner Secret, err error) {
	context, err := mls.Marshal(&s.Context)
	if err != nil {
		return Secret{}, err
	}
	suite := s.Context.Suite
	joiner = joinerSecret(suite, init, commit, context)
	s.epoch, s.encryption = deriveEpoch(suite, epochSecret(suite, joiner, psk, context))
	return joiner, nil
}

// commitSecret opens the path for the member at leaf, or takes it from what the
// committer, us, knows; it adds the private keys to those of the epoch.
func (s *Staged) commitSecret(leaf mls.LeafIndex, own *commitSecrets) (Secret, error) {
	suite := s.Context.Suite
	switch {
	case !s.HasPath:
		return zeroSecret(suite), nil
	case own == nil:
		return openPath(s.StagedPublicCommit, leaf, s.keys)
	}
	private := NewSecret(own.leaf.bytes())
	s.keys[s.Committer.Node()] = &private
	return installPath(suite, own.path, s.Draft().Path(), s.Tree(), s.keys)
}

// initSecret is that of the epoch before, or what a joiner by external commit
// sealed to it.
func (s *Staged) initSecret(before *epochSecrets, own *commitSecrets) (Secret, error) {
	switch {
	case !s.External:
		return before.init, nil
	case own != nil:
		return own.init, nil
	}
	return receiveExternalInit(s.Context.Suite, before.external, s.ExternalInit())
}

// Apply moves the group to the epoch after c, which must be the result of
// StageCommit on this state, else mls.ErrStale; so is a commit of this member's
// own that ClearPending has wiped. A pending commit of this member
// that lost is forgotten, and so are its proposals.
func (g *Group) Apply(c *Staged) error {
	if !c.RemovesUs && c.gone() != nil {
		return c.gone()
	}
	before, tree := g.public.Epoch(), g.public.RatchetTree()
	ended := recordEnd(g, c.Tree())
	if err := g.public.Apply(c.StagedPublicCommit); err != nil {
		return err
	}
	g.keepRecords(ended...)
	if g.epoch != nil {
		g.psks.leave(before, g.epoch.resumption)
	} else {
		tree = nil // we come from outside
	}
	g.epoch.wipe()
	g.secrets.wipe()
	for x, private := range g.keys {
		if c.keys[x] != private {
			private.Wipe()
		}
	}
	for i := range g.updates {
		g.updates[i].private.Wipe()
		g.updates[i].signer.Wipe()
	}
	g.updates = nil
	if g.pending != nil {
		if g.pending.staged == c {
			g.pending.staged = nil // its secrets live on in the group
		}
		g.pending.wipe(c.keys)
		g.pending = nil
	}
	if c.RemovesUs {
		g.psks.forget()
		g.status, g.epoch, g.secrets, g.keys = Removed, nil, nil, nil
		return nil
	}
	if c.own {
		g.leaf = c.Committer
	}
	g.status, g.signer = Member, c.signer
	g.epoch, g.keys = c.epoch, c.keys
	recordBeginning(g, c.encryption, tree)
	g.secrets = newSecretTree(c.Context.Suite, c.encryption, c.Tree().Root())
	c.encryption = Secret{}
	return nil
}
