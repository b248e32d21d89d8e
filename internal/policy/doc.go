// Package policy says who may do what in a room: the table of
// docs/spec/room-log.md#policy as code without secrets.
//
// The server judges every commit with it before it enters the log, and every
// member judges the same commit again with the statements that it verified
// itself, so neither has to trust the other. The package also holds the three
// encodings that both must read alike: the policy extension of the
// GroupContext, the authenticated_data of an entry, and the identity in a
// leaf's credential.
package policy
