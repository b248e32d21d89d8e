// Package xmpp is a light XMPP client for load: one stream over TCP (RFC 6120),
// rooms (XEP-0045) and their archives (XEP-0313). It decodes only what is
// counted, so that the driver costs less than the server that it measures. It
// has no TLS: it is for a server on the loopback interface of the same machine.
package xmpp
