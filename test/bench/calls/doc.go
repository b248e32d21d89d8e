// Command calls measures forwarders of media side by side: ours, and Janus
// where Debian's package is installed, with the same clients, the same packets
// and the same machine in one run.
//
// Every talker sends 50 packets a second of 80 bytes, as speech does, and
// receives those of all others. Each forwarder is a process of its own, whose
// processor time is read from /proc; the clients (pion) share the machine with
// it, so the figures of one run compare with one another and not with those of
// another machine.
//
//	go run ./test/bench/calls -talkers 10,20,30 -seconds 10
package main
