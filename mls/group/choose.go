package group

import (
	"slices"
	"time"

	"github.com/veche-im/veche/mls"
)

// choosing is the choice of what a commit covers.
type choosing struct {
	g    *Group
	opts CommitOptions
	now  time.Time
}

// proposals puts together what the commit covers: pending proposals by
// reference, then what opts asks for by value. Members can propose things that
// are fine each and not together (the same key twice); then only those are kept,
// in their order, that go with the ones before.
func (c choosing) proposals() []mls.ProposalOrRef {
	if !c.opts.IncludePending {
		return c.with(nil)
	}
	sender := mls.MemberSender(c.g.leaf)
	chosen := c.pending()
	list := c.with(chosen)
	if len(chosen) == 0 || c.g.public.Check(sender, list) == nil || c.g.public.Check(sender, c.with(nil)) != nil {
		return list
	}
	var kept []*mls.StagedProposal
	for _, p := range chosen {
		if with := append(slices.Clip(kept), p); c.g.public.Check(sender, c.with(with)) == nil {
			kept = with
		}
	}
	return c.with(kept)
}

// with is the list of the chosen pending proposals and what opts asks for.
func (c choosing) with(chosen []*mls.StagedProposal) []mls.ProposalOrRef {
	opts := c.opts
	var list []mls.ProposalOrRef
	add := func(p mls.Proposal) { list = append(list, mls.ProposalOrRef{Proposal: &p}) }
	removes := slices.Clone(opts.Remove)
	for _, p := range chosen {
		list = append(list, mls.ProposalOrRef{Ref: p.Ref})
		if r, ok := removedBy(p); ok {
			removes = slices.DeleteFunc(removes, func(i mls.LeafIndex) bool { return i == r })
		}
	}
	if opts.Extensions != nil {
		add(mls.ProposeExtensions(slices.Clone(*opts.Extensions)))
	}
	for _, i := range removes {
		add(mls.ProposeRemove(i))
	}
	for _, kp := range opts.Add {
		add(mls.ProposeAdd(kp))
	}
	if opts.ReInit != nil {
		add(mls.Proposal{Type: mls.ProposalReInit, ReInit: opts.ReInit})
	}
	if opts.link != nil {
		add(mls.ProposePSK(*opts.link))
	}
	for _, id := range opts.PSKs {
		add(mls.ProposePSK(mls.PreSharedKeyID{Type: mls.PSKExternal, ID: id, Nonce: randomBytes(c.g.suite().HashSize())}))
	}
	return list
}

// removedBy returns the leaf that a proposal removes.
func removedBy(p *mls.StagedProposal) (mls.LeafIndex, bool) {
	switch p.Proposal.Type {
	case mls.ProposalRemove:
		return p.Proposal.Remove.Removed, true
	case mls.ProposalSelfRemove:
		return p.Sender.Leaf, true
	}
	return 0, false
}

// pending chooses those pending proposals that may stand together in a
// commit of ours (RFC 9420 §12.2): not our own update or removal; for a leaf its
// removal, or else the latest update; the latest extensions, unless opts has
// some; for each component the latest data; a client once; a reinit only if there is nothing else.
func (c choosing) pending() []*mls.StagedProposal {
	g, opts := c.g, c.opts
	context := g.public.Context()
	pending := g.public.PendingProposals()
	leaving := map[mls.LeafIndex]bool{}
	for _, i := range opts.Remove {
		leaving[i] = true
	}
	touched := map[mls.LeafIndex]bool{g.leaf: true}
	clients := map[string]bool{}
	for _, m := range g.public.Members() {
		clients[string(m.Leaf.SignatureKey)] = true
	}
	keep := make([]bool, len(pending))
	for _, t := range []mls.ProposalType{mls.ProposalSelfRemove, mls.ProposalRemove} { // the former goes first
		for i, p := range pending {
			if r, ok := removedBy(p); ok && p.Proposal.Type == t {
				keep[i] = !touched[r]
				touched[r] = true
				leaving[r] = true
			}
		}
	}
	for r := range leaving {
		if l := g.public.Leaf(r); l != nil {
			delete(clients, string(l.SignatureKey))
		}
	}
	for _, kp := range opts.Add {
		clients[string(kp.Leaf.SignatureKey)] = true
	}
	components := map[mls.ComponentID]bool{}
	extensions := opts.Extensions != nil
	reinit := -1
	for i := len(pending) - 1; i >= 0; i-- {
		p := pending[i]
		switch p.Proposal.Type {
		case mls.ProposalUpdate:
			keep[i] = !touched[p.Sender.Leaf] && !leaving[p.Sender.Leaf]
			touched[p.Sender.Leaf] = true
		case mls.ProposalAdd:
			kp := &p.Proposal.Add.KeyPackage
			keep[i] = !clients[string(kp.Leaf.SignatureKey)] && kp.Leaf.Lifetime.Contains(c.now)
			clients[string(kp.Leaf.SignatureKey)] = clients[string(kp.Leaf.SignatureKey)] || keep[i]
		case mls.ProposalGroupContextExtensions:
			keep[i] = !extensions
			extensions = true
		case mls.ProposalPSK:
			_, keep[i] = g.psks.find(p.Proposal.PSK.ID, &context, g.epoch)
		case mls.ProposalAppDataUpdate:
			u := p.Proposal.AppData
			keep[i] = !components[u.Component] && (!u.Remove || c.has(u.Component))
			components[u.Component] = components[u.Component] || keep[i]
		case mls.ProposalReInit:
			reinit = i
		}
	}
	var out []*mls.StagedProposal
	for i, p := range pending {
		if keep[i] {
			out = append(out, p)
		}
	}
	if len(out) == 0 && reinit >= 0 && opts.ReInit == nil && opts.Extensions == nil && len(opts.Add)+len(opts.Remove)+len(opts.PSKs) == 0 {
		out = append(out, pending[reinit])
	}
	return out
}

// has reports whether the component has data in the group as it is now.
func (c choosing) has(id mls.ComponentID) bool {
	data, err := c.g.public.Context().Extensions.AppData()
	if err != nil {
		return false
	}
	_, ok := data.Get(id)
	return ok
}
