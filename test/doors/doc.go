// Package doors tries every door of a real server as everybody who might stand
// before it: with no session, with one that is over, as a member, as one who was,
// as a stranger. What each is told stands in testdata, to be read.
package doors
