// Package testenv runs a whole server in this process, for tests: real ports on
// loopback, a real database in a directory of the test's own, real sockets. What
// a test does to it, a stranger could do.
//
//	site := testenv.Start(t)
//	ann := site.SetUp("ann")
//	c := ann.Connect()
//	rooms := testenv.Call(c, wire.RoomList, wire.None{})
package testenv
