package group

import (
	"bytes"
	"fmt"

	"github.com/veche-im/veche/mls"
)

// link ties a new group to the one that it follows, by that group's resumption
// PSK: nobody who was not in that epoch of the old group can make or enter the
// new one (RFC 9420 §11.2, §11.3).
type link struct {
	old    *Group
	usage  mls.PSKUsage
	epoch  uint64
	secret Secret
}

// linkTo finds the secret that a link of the given id rests on.
func linkTo(old *Group, id mls.PreSharedKeyID) (*link, error) {
	if old == nil {
		return nil, fmt.Errorf("%w: %w: the welcome links to group %x", mls.ErrLink, mls.ErrPSK, id.GroupID)
	}
	c := old.public.Context()
	if !bytes.Equal(id.GroupID, c.GroupID) {
		return nil, fmt.Errorf("%w: it links to group %x", mls.ErrLink, id.GroupID)
	}
	if old.status != Member {
		return nil, fmt.Errorf("%w: old group: %w", mls.ErrLink, ErrRemoved)
	}
	if id.Usage == mls.PSKReInit && (!old.public.Closed() || id.Epoch != c.Epoch) {
		return nil, fmt.Errorf("%w: the old group was not closed in epoch %d", mls.ErrLink, id.Epoch)
	}
	if id.Usage == mls.PSKBranch && old.public.Closed() {
		return nil, fmt.Errorf("%w: a branch of a closed group", mls.ErrLink)
	}
	l := &link{old: old, usage: id.Usage, epoch: id.Epoch, secret: old.epoch.resumption}
	if id.Epoch != c.Epoch {
		past, ok := old.psks.former(id.Epoch)
		if !ok {
			return nil, fmt.Errorf("%w: epoch %d of the old group is not kept", mls.ErrPSK, id.Epoch)
		}
		l.secret = past
	}
	return l, nil
}

func (l *link) names(id mls.PreSharedKeyID) bool {
	return id.Usage == l.usage && id.Epoch == l.epoch && bytes.Equal(id.GroupID, l.old.public.Context().GroupID)
}

// check returns ErrLink unless a group with context c and these members may
// follow the old one (RFC 9420 §12.4.3.1).
func (l *link) check(c *mls.GroupContext, members []mls.Member, a Authority) error {
	old := l.old.public.Context()
	if c.Epoch != 1 {
		return fmt.Errorf("%w: epoch %d", mls.ErrLink, c.Epoch)
	}
	if l.usage == mls.PSKBranch {
		if c.Version != old.Version || c.Suite != old.Suite {
			return fmt.Errorf("%w: a branch of suite %v", mls.ErrLink, c.Suite)
		}
		if m := unmatched(members, l.old.public.Members(), a); m != nil {
			return fmt.Errorf("%w: leaf %d was not in the old group", mls.ErrLink, m.Index)
		}
		return nil
	}
	want := l.old.public.ReInit()
	switch {
	case !bytes.Equal(c.GroupID, want.GroupID):
		return fmt.Errorf("%w: group id differs from the reinit", mls.ErrLink)
	case c.Version != want.Version || c.Suite != want.Suite:
		return fmt.Errorf("%w: version %d, suite %v differ from the reinit", mls.ErrLink, c.Version, c.Suite)
	case !c.Extensions.Equal(want.Extensions):
		return fmt.Errorf("%w: extensions differ from the reinit", mls.ErrLink)
	}
	if m := unmatched(l.old.public.Members(), members, a); m != nil {
		return fmt.Errorf("%w: leaf %d of the old group is missing", mls.ErrLink, m.Index)
	}
	return nil
}

// unmatched returns a member of some for whom there is none in all, nil if there
// is no such. Each member of all stands for one of some.
func unmatched(some, all []mls.Member, a Authority) *mls.Member {
	exact := map[string][]int{}
	for i, m := range all {
		key := credentialKey(m.Leaf.Credential)
		exact[key] = append(exact[key], i)
	}
	taken := make([]bool, len(all))
	var rest []mls.Member
	for _, m := range some {
		key := credentialKey(m.Leaf.Credential)
		if list := exact[key]; len(list) > 0 {
			taken[list[0]] = true
			exact[key] = list[1:]
			continue
		}
		rest = append(rest, m)
	}
	for i := range rest {
		at := -1
		for j := 0; a != nil && j < len(all) && at < 0; j++ {
			if !taken[j] && a.Same(rest[i].Leaf.Credential, all[j].Leaf.Credential) {
				at = j
			}
		}
		if at < 0 {
			return &rest[i]
		}
		taken[at] = true
	}
	return nil
}

func credentialKey(c mls.Credential) string {
	b, err := mls.Marshal(c)
	if err != nil {
		return "" // it was decoded, or signed, and so has an encoding
	}
	return string(b)
}

// Branch starts a group of some members of old, with the same suite, and proves
// to each of them that it does (RFC 9420 §11.3). cfg is as for Create, where an
// empty Suite is that of old; opts adds the others, by fresh key packages, and
// must not add anyone who is not in old.
//
// The new Group is in epoch 0 with the commit pending that adds them; once the
// delivery service has taken it, MergePending. Until both are stored by Save,
// nothing has happened. old does not change.
func Branch(old *Group, cfg Config, opts CommitOptions) (*Group, *Pending, error) {
	if err := old.active(); err != nil {
		return nil, nil, fmt.Errorf("branch: %w", err)
	}
	if cfg.Suite == 0 {
		cfg.Suite = old.suite()
	}
	g, p, err := follow(old, mls.PSKBranch, cfg, opts)
	if err != nil {
		return nil, nil, fmt.Errorf("branch: %w", err)
	}
	return g, p, nil
}

// Reinit starts the group that is to follow old, which a commit with a ReInit
// has closed (RFC 9420 §11.2). Suite, GroupID and Extensions of cfg are those of
// the ReInit, and may be left out; opts adds all other members of old, by fresh
// key packages. Otherwise it is like Branch.
//
// Any member may do this. Where several do, the delivery service decides who was
// first, and the others throw theirs away and join by its Welcome. old must stay
// in storage until then: with it alone the Welcome opens.
func Reinit(old *Group, cfg Config, opts CommitOptions) (*Group, *Pending, error) {
	r := old.public.ReInit()
	if old.status != Member || r == nil {
		return nil, nil, fmt.Errorf("reinit: %w: the old group is not closed", mls.ErrReInit)
	}
	if r.Version != mls.MLS10 {
		return nil, nil, fmt.Errorf("reinit: %w: %d", mls.ErrVersion, r.Version)
	}
	if cfg.Suite != 0 && cfg.Suite != r.Suite || len(cfg.GroupID) > 0 && !bytes.Equal(cfg.GroupID, r.GroupID) ||
		cfg.Extensions != nil && !cfg.Extensions.Equal(r.Extensions) || opts.Extensions != nil {
		return nil, nil, fmt.Errorf("reinit: %w: other parameters than in the ReInit", ErrConfig)
	}
	cfg.Suite, cfg.GroupID, cfg.Extensions = r.Suite, r.GroupID, r.Extensions
	g, p, err := follow(old, mls.PSKReInit, cfg, opts)
	if err != nil {
		return nil, nil, fmt.Errorf("reinit: %w", err)
	}
	return g, p, nil
}

// checkReInit returns ErrConfig unless we could found the group that r, which
// may be nil, describes: what a ReInit has closed cannot be opened again.
func checkReInit(g *Group, r *mls.ReInit) error {
	switch {
	case r == nil:
		return nil
	case r.Version != mls.MLS10 || !r.Suite.Supported():
		return fmt.Errorf("%w: a reinit to version %d, suite %v", ErrConfig, r.Version, r.Suite)
	case bytes.Equal(r.GroupID, g.public.Context().GroupID):
		return fmt.Errorf("%w: a reinit to the same group id", ErrConfig)
	}
	if err := mls.CheckContextExtensions(r.Extensions); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return nil
}

// follow founds a group that is linked to old.
func follow(old *Group, usage mls.PSKUsage, cfg Config, opts CommitOptions) (*Group, *Pending, error) {
	c := old.public.Context()
	if bytes.Equal(cfg.GroupID, c.GroupID) {
		return nil, nil, fmt.Errorf("%w: the new group has the id of the old", ErrConfig)
	}
	g, err := Create(cfg)
	if err != nil {
		return nil, nil, err
	}
	opts.link = &mls.PreSharedKeyID{
		Type: mls.PSKResumption, Usage: usage, GroupID: c.GroupID, Epoch: c.Epoch, Nonce: randomBytes(cfg.Suite.HashSize()),
	}
	if g.psks.link, err = linkTo(old, *opts.link); err != nil {
		return nil, nil, err
	}
	p, err := g.Commit(opts)
	if err != nil {
		return nil, nil, err
	}
	if err := g.psks.link.check(&p.Context, p.Tree().Members(), cfg.Authority); err != nil {
		return nil, nil, err
	}
	g.psks.link = nil // what it gave is in the pending commit
	return g, p, nil
}
