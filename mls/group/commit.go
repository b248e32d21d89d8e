package group

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/veche-im/veche/mls"
)

// CommitOptions say what a commit should do. The zero value renews this
// member's own keys.
type CommitOptions struct {
	Add               []mls.KeyPackage
	Remove            []mls.LeafIndex
	Extensions        *mls.Extensions // replaces all extensions of the group context
	PSKs              [][]byte        // ids of external pre-shared keys, see AddPSK
	ReInit            *mls.ReInit     // closes the group in favour of another, see ReInit; goes with no other proposal
	IncludePending    bool            // commit the pending proposals too, except those that cannot be
	NoPath            bool            // leave the path out if the proposals allow it
	AuthenticatedData []byte          // of the commit message, for all to read
	Private           bool            // send the commit as a PrivateMessage, which a server cannot check

	Leaf LeafChange // of this member's leaf node; then the commit has a path

	WelcomeExtensions mls.Extensions // for the joiners' eyes: group info extensions inside the Welcome
	TreeInWelcome     bool           // put the tree into the Welcome; otherwise joiners get it elsewhere

	Now time.Time // when lifetimes of added key packages are checked; zero means time.Now()

	link *mls.PreSharedKeyID // of a new group to the one that it follows
}

// Pending is a commit that this member made and that has not been accepted yet.
type Pending struct {
	*Staged
	Message   []byte // MLSMessage with a PublicMessage, or with CommitOptions.Private a PrivateMessage
	Welcome   []byte // MLSMessage with a Welcome for all added members; nil if there are none
	GroupInfo []byte // MLSMessage with the GroupInfo of the new epoch, with external_pub, without ratchet_tree
}

// commitSecrets are what a committer knows of its commit beyond the message.
// With them the commit can be staged again after a crash.
type commitSecrets struct {
	leaf Secret // private key of the new leaf node; empty without a path
	path Secret // path secret of the lowest node; empty without a path
	init Secret // of an external commit
	psk  Secret

	signer Secret // private key of our next signer; empty if it is the same as before
}

// pendingCommit is a commit of our own that waits to be accepted.
type pendingCommit struct {
	message []byte
	content *mls.AuthenticatedContent // of a PrivateMessage, which its own sender cannot open; else nil
	secrets commitSecrets
	staged  *Staged // nil after Load, until it is needed
}

func (s *commitSecrets) all() []*Secret { return []*Secret{&s.leaf, &s.path, &s.init, &s.psk} }

// wipe overwrites all secrets of the commit but those private keys in live.
func (p *pendingCommit) wipe(live map[mls.NodeIndex]*Secret) {
	p.secrets.signer.Wipe()
	for _, s := range p.secrets.all() {
		s.Wipe()
	}
	if p.staged != nil {
		p.staged.epoch.wipe()
		p.staged.epoch = nil // so that it cannot be applied
		p.staged.encryption.Wipe()
		for x, private := range p.staged.keys {
			if live[x] != private {
				private.Wipe()
			}
		}
	}
}

// Commit makes a commit. The group stays in its epoch, with the commit pending,
// until MergePending, ClearPending, or a commit of another member is applied.
func (g *Group) Commit(opts CommitOptions) (*Pending, error) {
	if err := g.active(); err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	if g.pending != nil {
		return nil, fmt.Errorf("commit: %w", ErrPending)
	}
	if err := checkReInit(g, opts.ReInit); err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	now := opts.Now
	if now.IsZero() {
		now = time.Now()
	}
	for i := range opts.Add { // the rest of a key package is checked with the proposals
		if !opts.Add[i].Leaf.Lifetime.Contains(now) {
			return nil, fmt.Errorf("commit: key package %d: %w", i, mls.ErrLifetime)
		}
	}
	m := &making{
		g: g, sender: mls.MemberSender(g.leaf), list: choosing{g, opts, now}.proposals(), opts: opts, init: g.epoch.init,
		leaf: *g.public.Leaf(g.leaf),
	}
	m.signer = opts.Leaf.apply(&m.leaf, g.signer)
	if m.signer.scheme != g.signer.scheme {
		return nil, fmt.Errorf("commit: %w: a signer of another scheme", ErrConfig)
	}
	if opts.Leaf.Signer != nil {
		m.secrets.signer = NewSecret(m.signer.priv.bytes())
	}
	p, err := m.make()
	if err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	return p, nil
}

// making is a commit in the making, by a member or by a joiner.
type making struct {
	g      *Group
	sender mls.Sender
	list   []mls.ProposalOrRef
	opts   CommitOptions
	init   Secret
	leaf   mls.LeafNode // the committer's, to be renewed
	signer Signer       // the new one; empty if it stays

	draft   *mls.Draft
	keys    *pathKeys
	secrets commitSecrets
	content *mls.AuthenticatedContent
	staged  *Staged
	joiner  Secret
}

// make follows RFC 9420 §12.4.1.
func (m *making) make() (*Pending, error) {
	g := m.g
	context := g.public.Context()
	draft, err := g.public.Draft(m.sender, m.list)
	if err != nil {
		return nil, err
	}
	m.draft = draft
	m.secrets.init = m.init
	if m.sender.Type == mls.SenderMember {
		m.secrets.init = Secret{} // it is in the group's own state
	}
	if m.secrets.psk, err = g.psks.secret(draft.PSKs(), &context, g.epoch); err != nil {
		return nil, err
	}
	commit := &mls.Commit{Proposals: m.list}
	if !m.opts.NoPath || !m.opts.Leaf.empty() || draft.NeedsPath() {
		if commit.Path, err = m.makePath(&context); err != nil {
			return nil, err
		}
	}
	m.content = &mls.AuthenticatedContent{
		WireFormat: wireFormat(m.opts.Private),
		Content: mls.FramedContent{
			GroupID: context.GroupID, Epoch: context.Epoch, Sender: m.sender,
			AuthenticatedData: m.opts.AuthenticatedData,
			Type:              mls.ContentCommit, Commit: commit,
		},
	}
	if err := g.signer.signContent(m.content, &context); err != nil {
		return nil, err
	}
	if err := m.enter(); err != nil {
		return nil, err
	}
	out := &Pending{Staged: m.staged}
	if out.Welcome, err = m.welcome(); err != nil {
		return nil, err
	}
	if out.GroupInfo, err = m.groupInfo(); err != nil {
		return nil, err
	}
	if m.sender.Type == mls.SenderMember {
		out.Message, err = framingOf(g).frame(m.content)
	} else {
		out.Message, err = mls.Marshal(mls.Message{Public: &mls.PublicMessage{Content: m.content.Content, Auth: m.content.Auth}})
	}
	if err != nil {
		return nil, err
	}
	g.pending = &pendingCommit{message: out.Message, secrets: m.secrets, staged: m.staged}
	if m.opts.Private {
		g.pending.content = m.content
	}
	return out, nil
}

// by is who signs the new leaf, and what belongs to the new epoch.
func (m *making) by() Signer {
	if m.signer.public == nil {
		return m.g.signer
	}
	return m.signer
}

func wireFormat(private bool) mls.WireFormat {
	if private {
		return mls.WirePrivateMessage
	}
	return mls.WirePublicMessage
}

// makePath renews the committer's leaf and the nodes above (RFC 9420 §7.5).
func (m *making) makePath(context *mls.GroupContext) (*mls.UpdatePath, error) {
	s := context.Suite
	var err error
	var public []byte
	if m.secrets.leaf, public, err = newKeyPair(s); err != nil {
		return nil, err
	}
	m.secrets.path = randomSecret(s.HashSize())
	if m.keys, err = derivePath(s, NewSecret(m.secrets.path.bytes()), len(m.draft.Path())); err != nil {
		return nil, err
	}
	leaf := m.leaf
	leaf.EncryptionKey = public
	leaf.SignatureKey = m.by().Public()
	leaf.Source = mls.LeafCommit
	leaf.Lifetime = mls.Lifetime{}
	if leaf.ParentHash, err = m.draft.SetPathKeys(m.keys.public); err != nil {
		return nil, err
	}
	if err := m.by().signLeaf(&leaf, context.GroupID, m.draft.Leaf()); err != nil {
		return nil, err
	}
	if err := m.draft.SetLeaf(&leaf); err != nil {
		return nil, err
	}
	provisional := m.draft.Context()
	encoded, err := mls.Marshal(&provisional)
	if err != nil {
		return nil, err
	}
	nodes, err := sealPath(s, m.draft, m.keys, encoded)
	if err != nil {
		return nil, err
	}
	return &mls.UpdatePath{Leaf: leaf, Nodes: nodes}, nil
}

// enter derives the new epoch and adds the confirmation tag to the message.
func (m *making) enter() error {
	public, err := m.draft.Finish(m.content)
	if err != nil {
		return err
	}
	if err := validateCommit(m.g, public, m.draft.Leaf()); err != nil {
		return err
	}
	m.staged = &Staged{StagedPublicCommit: public, own: true, signer: m.by(), keys: keysFor(m.g, public.Tree())}
	commit := zeroSecret(m.g.suite())
	if m.keys != nil {
		commit = m.keys.commit
		leaf := NewSecret(m.secrets.leaf.bytes())
		m.staged.keys[m.draft.Leaf().Node()] = &leaf
		for i, step := range m.draft.Path() {
			m.staged.keys[step.Node] = m.keys.private[i]
		}
	}
	if m.joiner, err = m.staged.enter(m.init, commit, m.secrets.psk); err != nil {
		return err
	}
	m.content.Auth.ConfirmationTag = m.staged.epoch.confirmationTag(&public.Context)
	public.Confirm(m.content.Auth.ConfirmationTag)
	return nil
}

// info returns the signed group info of the new epoch.
func (m *making) info(extensions mls.Extensions) (*mls.GroupInfo, error) {
	info := &mls.GroupInfo{
		Context:         m.staged.Context,
		Extensions:      extensions,
		ConfirmationTag: m.content.Auth.ConfirmationTag,
		Signer:          m.draft.Leaf(),
	}
	return info, m.by().signInfo(info)
}

func (m *making) groupInfo() ([]byte, error) {
	pub, err := m.staged.epoch.externalPub(m.g.suite())
	if err != nil {
		return nil, err
	}
	info, err := m.info(mls.Extensions{mls.ExternalPubExtension(pub)})
	if err != nil {
		return nil, err
	}
	return mls.Marshal(mls.Message{GroupInfo: info})
}

// welcome seals the new epoch to those who were added, nil if nobody was
// (RFC 9420 §12.4.3.1).
func (m *making) welcome() ([]byte, error) {
	if len(m.draft.Added()) == 0 {
		return nil, nil
	}
	s := m.g.suite()
	extensions := slices.Clone(m.opts.WelcomeExtensions)
	if m.opts.TreeInWelcome {
		tree, err := mls.Marshal(m.staged.Tree())
		if err != nil {
			return nil, err
		}
		extensions = extensions.With(mls.ExtensionRatchetTree, tree)
	}
	info, err := m.info(extensions)
	if err != nil {
		return nil, err
	}
	plain, err := mls.Marshal(info)
	if err != nil {
		return nil, err
	}
	secret := welcomeSecret(s, m.joiner, m.secrets.psk)
	w := &mls.Welcome{Suite: s}
	aead, err := s.AEAD(expandLabel(s, secret, "key", nil, s.KeySize()).bytes())
	if err != nil {
		return nil, err
	}
	w.EncryptedGroupInfo = aead.Seal(nil, expandLabel(s, secret, "nonce", nil, s.NonceSize()).bytes(), plain, nil)

	w.Secrets = make([]mls.EncryptedGroupSecrets, len(m.draft.Packages()))
	err = parallel(len(w.Secrets), func(i int) (err error) {
		w.Secrets[i], err = m.letter(i, w.EncryptedGroupInfo)
		return err
	})
	if err != nil {
		return nil, err
	}
	return mls.Marshal(mls.Message{Welcome: w})
}

// letter seals the group's secrets to the added member of that number.
func (m *making) letter(i int, groupInfo []byte) (mls.EncryptedGroupSecrets, error) {
	fail := func(err error) (mls.EncryptedGroupSecrets, error) { return mls.EncryptedGroupSecrets{}, err }
	s := m.g.suite()
	kp := m.draft.Packages()[i]
	secrets := groupSecrets{joiner: m.joiner, psks: m.draft.PSKs()}
	if m.keys != nil {
		ancestor := mls.CommonAncestor(m.draft.Leaf(), m.draft.Added()[i].Index)
		at := slices.IndexFunc(m.draft.Path(), func(p mls.PathStep) bool { return p.Node == ancestor })
		if at < 0 {
			return fail(fmt.Errorf("%w: no node above both the committer and leaf %d", mls.ErrPath, m.draft.Added()[i].Index))
		}
		secrets.path = &m.keys.secrets[at]
	}
	b, err := secrets.encode()
	if err != nil {
		return fail(err)
	}
	defer b.Wipe()
	sealed, err := sealTo(s, kp.InitKey, "Welcome", groupInfo, b)
	if err != nil {
		return fail(fmt.Errorf("welcome: %w", err))
	}
	ref, err := kp.Ref()
	if err != nil {
		return fail(err)
	}
	return mls.EncryptedGroupSecrets{NewMember: ref, Secrets: sealed}, nil
}

// signContent fills in the signature of a message.
func (s Signer) signContent(a *mls.AuthenticatedContent, context *mls.GroupContext) error {
	content, err := a.SignedContent(context)
	if err != nil {
		return err
	}
	a.Auth.Signature, err = s.SignWithLabel(mls.FramedContentLabel, content)
	return err
}

// MergePending moves the group to the epoch of its pending commit.
func (g *Group) MergePending() error {
	if g.pending == nil {
		return fmt.Errorf("merge: %w", ErrPending)
	}
	c, err := g.pending.restage(g)
	if err != nil {
		return fmt.Errorf("merge: %w", err)
	}
	return g.Apply(c)
}

// restage returns the pending commit of g ready to be applied. After Load it is
// staged again, from the message and what was stored with it.
func (p *pendingCommit) restage(g *Group) (*Staged, error) {
	if p.staged == nil {
		a := p.content
		if a == nil {
			m, err := mls.ParsePublic(p.message)
			if err != nil {
				return nil, fmt.Errorf("%w: pending commit: %w", mls.ErrStorage, err)
			}
			a = m.Authenticated()
		}
		c, err := g.stage(a, &p.secrets)
		if err != nil {
			return nil, fmt.Errorf("%w: pending commit: %w", mls.ErrStorage, err)
		}
		p.staged = c
	}
	return p.staged, nil
}

// ClearPending forgets the pending commit. A group that was still joining is of
// no more use then.
func (g *Group) ClearPending() {
	if g.pending != nil {
		g.pending.wipe(g.keys)
		g.pending = nil
	}
}

// Pending returns the message of the pending commit, nil if there is none: when
// the same bytes turn up as the group's next commit, MergePending.
func (g *Group) Pending() []byte {
	if g.pending == nil {
		return nil
	}
	return bytes.Clone(g.pending.message)
}
