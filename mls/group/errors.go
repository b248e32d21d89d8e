package group

import "errors"

// Errors of a member's own side. What a message does wrong is said with the
// errors of package mls.
var (
	// ErrOpen is the answer to every PrivateMessage that does not open,
	// whatever the reason: a stranger learns nothing from it.
	ErrOpen = errors.New("group: message does not open")
	// ErrRemoved: this member was removed; it can look at the group as it was
	// left and do nothing more.
	ErrRemoved = errors.New("group: no longer a member")
	// ErrJoining: the external commit by which this member joins has not yet
	// been merged.
	ErrJoining = errors.New("group: external commit not merged yet")
	// ErrPending: there is a pending commit already, or none to merge.
	ErrPending = errors.New("group: pending commit in the way, or missing")
	// ErrProposals: proposals wait, and RFC 9420 §12.4 wants them committed
	// before anything is sent.
	ErrProposals = errors.New("group: proposals wait to be committed")
	// ErrOwnCommit: the message is a commit by this member that is not the
	// pending one, so that its secrets are lost. Rejoin by external commit.
	ErrOwnCommit = errors.New("group: own commit whose secrets are lost")
	// ErrUndecryptable: the commit is well formed but its path does not open
	// for this member, or has other keys than it says. Rejoin by external
	// commit.
	ErrUndecryptable = errors.New("group: update path does not open for us")
	// ErrExhausted: a message ratchet has reached its last generation.
	ErrExhausted = errors.New("group: no more message keys in this epoch")
	// ErrExported: the component has taken its secret of this epoch already.
	ErrExported = errors.New("group: secret of this epoch is used up")
	// ErrRecord: the bytes are not the record of an epoch, or the roster is
	// not the one beside it.
	ErrRecord = errors.New("group: not a record, or with another roster")
	// ErrUntrusted: the Authority does not vouch for a credential, or there
	// is no Authority and it is not a basic one.
	ErrUntrusted = errors.New("group: credential that nobody vouches for")
	// ErrConfig: something that was asked for makes no sense by itself.
	ErrConfig = errors.New("group: not a valid request")
)
