package group

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/veche-im/veche/mls"
)

// groupSecrets is what a Welcome seals to each joiner: GroupSecrets (RFC 9420
// §12.4.3.1).
type groupSecrets struct {
	joiner Secret
	path   *Secret
	psks   []mls.PreSharedKeyID
}

// encode returns the encoding, as a secret.
func (s *groupSecrets) encode() (Secret, error) {
	var e mls.Encoder
	e.Bytes(s.joiner.bytes())
	e.Optional(s.path != nil)
	if s.path != nil {
		e.Bytes(s.path.bytes())
	}
	e.Vector(func() {
		for _, id := range s.psks {
			id.MarshalMLS(&e)
		}
	})
	b, err := e.Result()
	return own(b), err
}

func decodeGroupSecrets(b Secret) (*groupSecrets, error) {
	d := mls.NewDecoder(b.bytes())
	s := &groupSecrets{joiner: takeSecret(d)}
	if d.Optional() {
		path := takeSecret(d)
		s.path = &path
	}
	s.psks = mls.Vector(d, maxPSKs, func(d *mls.Decoder, id *mls.PreSharedKeyID) { id.UnmarshalMLS(d) })
	return s, d.Finish()
}

// JoinOptions are what a joiner knows beside its Welcome.
type JoinOptions struct {
	Tree []byte // the ratchet tree; nil if the Welcome carries it
	PSKs []PSK  // external pre-shared keys that the Welcome may ask for; kept, as by AddPSK

	// From is the group that the new one must follow, by Branch or Reinit: a
	// Welcome to any other is ErrLink. Without From, a Welcome that says it
	// follows a group is ErrLink.
	From *Group

	Records   Recording // as in Config
	Authority Authority // as in Config
}

// Join enters the group that w welcomes the holder of kp into (RFC 9420
// §12.4.3.1). Everything that the RFC asks for is verified, but whether the
// members are who they say is for the caller, who looks at them before trusting
// the group; and that it is not in a group of this id already.
func Join(w *mls.Welcome, kp mls.KeyPackage, secrets KeyPackageSecrets, opts JoinOptions) (*Group, error) {
	g, err := join(w, kp, secrets, opts)
	if err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	return g, nil
}

func join(w *mls.Welcome, kp mls.KeyPackage, secrets KeyPackageSecrets, opts JoinOptions) (*Group, error) {
	s := w.Suite
	if !s.Supported() {
		return nil, fmt.Errorf("%w: %v", mls.ErrSuite, s)
	}
	if kp.Suite != s {
		return nil, fmt.Errorf("%w: key package of suite %v", mls.ErrWelcome, kp.Suite)
	}
	ref, err := kp.Ref()
	if err != nil {
		return nil, err
	}
	ours, ok := w.For(ref)
	if !ok {
		return nil, fmt.Errorf("%w: nothing for our key package", mls.ErrWelcome)
	}
	opened, err := openWith(s, secrets.init, "Welcome", w.EncryptedGroupInfo, ours.Secrets[0].Secrets)
	if err != nil {
		return nil, fmt.Errorf("%w: group secrets: %w", mls.ErrWelcome, err)
	}
	gs, err := decodeGroupSecrets(opened)
	opened.Wipe()
	if err != nil {
		return nil, fmt.Errorf("%w: group secrets: %w", mls.ErrWelcome, err)
	}
	g := &Group{status: Member, signer: secrets.signer, authority: opts.Authority, recording: opts.Records, keys: map[mls.NodeIndex]*Secret{}}
	if err := g.psks.add(opts.PSKs); err != nil {
		return nil, err
	}
	if err := g.psks.follow(opts.From, gs.psks); err != nil {
		return nil, err
	}
	psk, err := g.psks.welcomed(s, gs.psks)
	if err != nil {
		return nil, err
	}
	info, err := openGroupInfo(s, welcomeSecret(s, gs.joiner, psk), w.EncryptedGroupInfo)
	if err != nil {
		return nil, err
	}
	if info.Context.Suite != s {
		return nil, fmt.Errorf("%w: group of suite %v", mls.ErrWelcome, info.Context.Suite)
	}
	if g.public, err = mls.NewPublicGroup(info, opts.Tree); err != nil {
		return nil, err
	}
	if err := validateGroup(opts.Authority, g.public); err != nil {
		return nil, err
	}
	if l := g.psks.link; l != nil {
		if err := l.check(&info.Context, g.public.Members(), opts.Authority); err != nil {
			return nil, err
		}
	}
	if err := findOwnLeaf(g, &kp, secrets); err != nil {
		return nil, err
	}
	if gs.path != nil {
		if err := receivePath(g, *gs.path, info.Signer); err != nil {
			return nil, err
		}
	}
	context, err := mls.Marshal(&info.Context)
	if err != nil {
		return nil, err
	}
	var encryption Secret
	g.epoch, encryption = deriveEpoch(s, epochSecret(s, gs.joiner, psk, context))
	if !macEqual(info.ConfirmationTag, g.epoch.confirmationTag(&info.Context)) {
		return nil, mls.ErrConfirmation
	}
	recordBeginning(g, encryption, nil)
	g.secrets = newSecretTree(s, encryption, g.public.RatchetTree().Root())
	g.welcome = info.Extensions.Without(mls.ExtensionRatchetTree)
	g.psks.link = nil
	return g, nil
}

// follow looks for the one link among the pre-shared keys of a Welcome, which
// must be to the group from.
func (p *psks) follow(from *Group, ids []mls.PreSharedKeyID) error {
	for _, id := range ids {
		if !id.Links() {
			continue
		}
		if p.link != nil {
			return fmt.Errorf("%w: two links in a welcome", mls.ErrPSK)
		}
		l, err := linkTo(from, id)
		if err != nil {
			return err
		}
		p.link = l
	}
	if from != nil && p.link == nil {
		return fmt.Errorf("%w: the welcome names no group that it follows", mls.ErrLink)
	}
	return nil
}

// openGroupInfo decrypts the group info of a Welcome.
func openGroupInfo(s mls.Suite, secret Secret, sealed []byte) (*mls.GroupInfo, error) {
	aead, err := s.AEAD(expandLabel(s, secret, "key", nil, s.KeySize()).bytes())
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, expandLabel(s, secret, "nonce", nil, s.NonceSize()).bytes(), sealed, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: group info: %w", mls.ErrWelcome, err)
	}
	info := new(mls.GroupInfo)
	if err := mls.Unmarshal(plain, info); err != nil {
		return nil, fmt.Errorf("%w: group info: %w", mls.ErrWelcome, err)
	}
	return info, nil
}

// findOwnLeaf looks for the leaf node of kp in the tree and checks that our
// private keys belong to it.
func findOwnLeaf(g *Group, kp *mls.KeyPackage, secrets KeyPackageSecrets) error {
	for _, m := range g.public.Members() {
		if !bytes.Equal(m.Leaf.EncryptionKey, kp.Leaf.EncryptionKey) || !m.Leaf.Equal(&kp.Leaf) {
			continue
		}
		public, err := publicOf(g.suite(), secrets.leaf)
		if err != nil {
			return fmt.Errorf("%w: %w", mls.ErrEncryptionKey, err)
		}
		if !bytes.Equal(public, m.Leaf.EncryptionKey) || !bytes.Equal(secrets.signer.Public(), m.Leaf.SignatureKey) {
			return fmt.Errorf("%w: secrets of another key package", mls.ErrKeyPackage)
		}
		g.leaf = m.Index
		private := NewSecret(secrets.leaf.bytes())
		g.keys[m.Index.Node()] = &private
		return nil
	}
	return fmt.Errorf("%w: our leaf node is not in the tree", mls.ErrWelcome)
}

// receivePath derives the private keys above us that the committer renewed.
func receivePath(g *Group, first Secret, committer mls.LeafIndex) error {
	if committer == g.leaf {
		return fmt.Errorf("%w: we are its signer", mls.ErrWelcome)
	}
	tree := g.public.RatchetTree()
	ancestor := mls.CommonAncestor(g.leaf, committer)
	var steps []mls.PathStep
	for x := ancestor; ; x = x.Parent() {
		if tree.EncryptionKey(x) != nil {
			steps = append(steps, mls.PathStep{Node: x})
		} else if x == ancestor {
			return fmt.Errorf("%w: the node of its path secret is blank", mls.ErrWelcome)
		}
		if x == tree.Root() {
			break
		}
	}
	_, err := installPath(g.suite(), first, steps, tree, g.keys)
	return err
}

// ExternalOptions are the choices of a joiner by external commit.
type ExternalOptions struct {
	AuthenticatedData []byte
	RemoveOwn         *mls.LeafIndex // this client's former leaf, if it is still in the group
	PSKs              []PSK          // external pre-shared keys to inject, which all members must have; kept, as by AddPSK

	// Former is what this client has left of its former membership, if
	// anything: its latest resumption PSK is injected, which proves to the
	// members that it was there. They keep those of a few epochs; one that is
	// too old makes the commit fail.
	Former *Group

	// SelfRemoves are the pending SelfRemove proposals of the epoch, which the
	// commit carries out. Their membership tags cannot be checked from outside;
	// one that no member takes makes the whole commit fail.
	SelfRemoves []*mls.PublicMessage
}

// JoinExternal makes an external commit to the group that info describes
// (RFC 9420 §12.4.3.2). The Group is in the epoch of info and not yet a member;
// once the commit is accepted, MergePending makes it one. If another commit
// came first, it is thrown away and made anew from the next GroupInfo. tree is
// nil if info carries it.
func JoinExternal(info *mls.GroupInfo, tree []byte, cfg Config, opts ExternalOptions) (*Group, *Pending, error) {
	g, p, err := joinExternal(info, tree, cfg, opts)
	if err != nil {
		return nil, nil, fmt.Errorf("join by external commit: %w", err)
	}
	return g, p, nil
}

func joinExternal(info *mls.GroupInfo, tree []byte, cfg Config, opts ExternalOptions) (*Group, *Pending, error) {
	public, err := mls.NewPublicGroup(info, tree)
	if err != nil {
		return nil, nil, err
	}
	if err := validateGroup(cfg.Authority, public); err != nil {
		return nil, nil, err
	}
	pub, ok, err := info.Extensions.ExternalPub()
	if err != nil {
		return nil, nil, err
	}
	if !ok {
		return nil, nil, fmt.Errorf("%w: no external_pub", mls.ErrGroupInfo)
	}
	context := public.Context()
	kemOutput, init, err := sendExternalInit(context.Suite, pub)
	if err != nil {
		return nil, nil, err
	}
	external := mls.ProposeExternalInit(kemOutput)
	list := []mls.ProposalOrRef{{Proposal: &external}}
	if opts.RemoveOwn != nil {
		remove := mls.ProposeRemove(*opts.RemoveOwn)
		list = append(list, mls.ProposalOrRef{Proposal: &remove})
	}
	for _, message := range opts.SelfRemoves {
		p, err := public.StageProposal(message)
		if err != nil {
			return nil, nil, fmt.Errorf("self_remove: %w", err)
		}
		if err := public.AddProposal(p); err != nil {
			return nil, nil, err
		}
		list = append(list, mls.ProposalOrRef{Ref: p.Ref})
	}
	var keys psks
	if err := keys.add(opts.PSKs); err != nil {
		return nil, nil, err
	}
	for _, k := range opts.PSKs {
		p := mls.ProposePSK(mls.PreSharedKeyID{Type: mls.PSKExternal, ID: k.ID, Nonce: randomBytes(context.Suite.HashSize())})
		list = append(list, mls.ProposalOrRef{Proposal: &p})
	}
	if opts.Former != nil {
		id, err := keys.remember(opts.Former, &context)
		if err != nil {
			return nil, nil, err
		}
		p := mls.ProposePSK(id)
		list = append(list, mls.ProposalOrRef{Proposal: &p})
	}
	m := &making{
		g:      &Group{public: public, status: Joining, signer: cfg.Signer, authority: cfg.Authority, recording: cfg.Records, keys: map[mls.NodeIndex]*Secret{}, psks: keys},
		sender: mls.Sender{Type: mls.SenderNewMemberCommit},
		list:   list,
		opts:   CommitOptions{AuthenticatedData: opts.AuthenticatedData},
		init:   init,
		leaf: mls.LeafNode{
			Credential:   cfg.Credential,
			Capabilities: capabilitiesFor(cfg.Capabilities, cfg.Credential, cfg.LeafExtensions, context.Extensions),
			Extensions:   slices.Clone(cfg.LeafExtensions),
		},
	}
	if cfg.Grease {
		m.leaf.Capabilities = grease(m.leaf.Capabilities, &m.leaf.Extensions)
	}
	p, err := m.make()
	if err != nil {
		return nil, nil, err
	}
	m.g.leaf = p.Committer
	m.g.psks.past = nil // what it gave is in the pending commit
	return m.g, p, nil
}

// remember takes over the latest resumption PSK of a client's former membership
// in the group of context, and returns its id.
func (p *psks) remember(former *Group, context *mls.GroupContext) (mls.PreSharedKeyID, error) {
	c := former.public.Context()
	if former.epoch == nil || !bytes.Equal(c.GroupID, context.GroupID) || c.Epoch > context.Epoch {
		return mls.PreSharedKeyID{}, fmt.Errorf("%w: no former membership in this group", ErrConfig)
	}
	p.past = []pastEpoch{{c.Epoch, former.epoch.resumption}}
	return mls.PreSharedKeyID{
		Type: mls.PSKResumption, Usage: mls.PSKApplication, GroupID: c.GroupID, Epoch: c.Epoch,
		Nonce: randomBytes(context.Suite.HashSize()),
	}, nil
}
