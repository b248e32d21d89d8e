package group

import (
	"github.com/veche-im/veche/mls"
)

// epochSecrets are what a member keeps of an epoch's key schedule (RFC 9420
// §8), besides the secret tree. The epoch secret and the joiner secret are gone
// once these are derived.
type epochSecrets struct {
	senderData    Secret
	exporter      Secret
	external      Secret
	confirmation  Secret
	membership    Secret
	resumption    Secret
	authenticator Secret
	init          Secret // for the next epoch

	// exports is the exporter tree of draft-ietf-mls-extensions; nil in an
	// epoch that was stored before there was one.
	exports *secretTree
	// encryption is the root of the secret tree, where the epoch is recorded
	// at its end; else empty.
	encryption Secret
	dirty      bool // Storage holds more than there is
}

// all lists the secrets in the order in which they are stored.
func (e *epochSecrets) all() []*Secret {
	return []*Secret{
		&e.senderData, &e.exporter, &e.external, &e.confirmation,
		&e.membership, &e.resumption, &e.authenticator, &e.init,
	}
}

func (e *epochSecrets) wipe() {
	if e == nil {
		return
	}
	for _, s := range e.all() {
		s.Wipe()
	}
	e.exports.wipe()
	e.encryption.Wipe()
}

// joinerSecret is the step from one epoch to the next (RFC 9420 §8). context is
// the encoding of the new group context.
func joinerSecret(s mls.Suite, init, commit Secret, context []byte) Secret {
	return expandLabel(s, extract(s, init, commit), "joiner", context, s.HashSize())
}

// welcomeSecret opens the group info of a Welcome.
func welcomeSecret(s mls.Suite, joiner, psk Secret) Secret {
	return derive(s, extract(s, joiner, psk), "welcome")
}

// epochSecret is the root of an epoch.
func epochSecret(s mls.Suite, joiner, psk Secret, context []byte) Secret {
	return expandLabel(s, extract(s, joiner, psk), "epoch", context, s.HashSize())
}

// deriveEpoch derives all secrets of an epoch; encryption is the root of its
// secret tree.
func deriveEpoch(s mls.Suite, epoch Secret) (e *epochSecrets, encryption Secret) {
	k := newKDF(s, epoch)
	next := func(label string) Secret { return k.expandLabel(label, nil, s.HashSize()) }
	return &epochSecrets{
		senderData:    next("sender data"),
		exporter:      next("exporter"),
		external:      next("external"),
		confirmation:  next("confirm"),
		membership:    next("membership"),
		resumption:    next("resumption"),
		authenticator: next("authentication"),
		init:          next("init"),
		exports:       newExporterTree(s, next("application_export")),
	}, next("encryption")
}

// confirmationTag is the MAC by which a committer shows that it arrived at the
// same epoch (RFC 9420 §6.1).
func (e *epochSecrets) confirmationTag(c *mls.GroupContext) []byte {
	return mac(c.Suite, e.confirmation, c.ConfirmedTranscriptHash)
}

// export is MLS-Exporter (RFC 9420 §8.5).
func (e *epochSecrets) export(s mls.Suite, label string, context []byte, n int) Secret {
	return expandLabel(s, derive(s, e.exporter, label), "exported", s.Hash(context), n)
}

// externalPub is the key to which joiners by external commit encrypt (RFC 9420
// §8).
func (e *epochSecrets) externalPub(s mls.Suite) ([]byte, error) {
	_, public, err := deriveKeyPair(s, e.external)
	return public, err
}
