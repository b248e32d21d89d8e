// Package group is the member's half of Messaging Layer Security, RFC 9420:
// the key schedule and the secret tree, creating and joining groups, committing
// changes, sealing and opening messages.
//
// A Group is one member's view of one group in its current epoch. It changes in
// three ways: a commit is applied (Apply, MergePending), a proposal is received,
// or a message key is used up (Seal, Open). Stage… methods change nothing: they
// return what a message would do, and the caller judges that before it applies
// it, since who may be a member is its own decision (RFC 9420 §5.3.1). Who is
// who may be left to an Authority.
//
// Nothing is stored until Save, which writes only what has changed. The rule
// that keeps keys from being used twice: what Seal or Commit returned leaves
// the process only after the transaction that Save wrote into is committed. If
// that fails, the Group is dropped and loaded again; the bytes are thrown away.
//
// Secrets are values that refuse to be printed, compared or encoded. They leave
// the package only into Storage, and where a method says so.
package group
