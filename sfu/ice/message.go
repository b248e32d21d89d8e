package ice

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/pion/stun/v4"
)

// authentic reports whether a message has the right MESSAGE-INTEGRITY (compared in
// constant time) and, behind it and last, the right FINGERPRINT, both of which ICE
// demands (RFC 8445 §7.1).
func authentic(m *stun.Message, password string) bool {
	n := len(m.Attributes)
	if n < 2 || m.Attributes[n-1].Type != stun.AttrFingerprint || !has(m.Attributes, stun.AttrMessageIntegrity) {
		return false
	}
	return stun.Fingerprint.Check(m) == nil && stun.MessageIntegrity(password).Check(m) == nil
}

// signedAttributes are those that the password vouches for: what stands behind
// MESSAGE-INTEGRITY anybody on the way could have added.
func signedAttributes(m *stun.Message) stun.Attributes {
	for i, a := range m.Attributes {
		if a.Type == stun.AttrMessageIntegrity {
			return m.Attributes[:i]
		}
	}
	return nil
}

func has(as stun.Attributes, t stun.AttrType) bool {
	for i := range as {
		if as[i].Type == t {
			return true
		}
	}
	return false
}

// unknownAttributes are those that must be understood and are not (RFC 8489 §14).
func unknownAttributes(as stun.Attributes) (unknown []stun.AttrType) {
	for i := range as {
		switch t := as[i].Type; t {
		case stun.AttrUsername, stun.AttrPriority, stun.AttrUseCandidate:
		default:
			if t.Required() {
				unknown = append(unknown, t)
			}
		}
	}
	return unknown
}

// seal ends a message with integrity and fingerprint and puts it into x.Send.
func (x *Exchange) seal(m *stun.Message, password string) {
	// Both fail only for a message that was ended already.
	_ = stun.MessageIntegrity(password).AddTo(m)
	_ = stun.Fingerprint.AddTo(m)
	x.Send = append(x.Send, m.Raw)
}

// begin makes x.answer the answer to x.in.
func (x *Exchange) begin(t stun.MessageType) *stun.Message {
	m := &x.answer
	m.Reset()
	m.TransactionID = x.in.TransactionID
	m.Type = t
	m.WriteHeader()
	return m
}

// succeed answers a check.
func (x *Exchange) succeed(g *generation, from netip.AddrPort) {
	m := x.begin(stun.BindingSuccess)
	addMapped(m, from)
	x.seal(m, g.local.Password)
}

// refuse answers a check with an error.
func (x *Exchange) refuse(g *generation, code stun.ErrorCode, unknown []stun.AttrType) {
	m := x.begin(stun.BindingError)
	_ = code.AddTo(m) // fails only for codes without a text
	if len(unknown) > 0 {
		var b []byte
		for _, t := range unknown[:min(len(unknown), 8)] {
			b = binary.BigEndian.AppendUint16(b, uint16(t))
		}
		m.Add(stun.AttrUnknownAttributes, b)
	}
	x.seal(m, g.local.Password)
}

// echo answers a plain Binding request, by which an administrator sees that the
// port is reached: nothing longer than what came, and not often.
func (t *Table) echo(p Path, x *Exchange, now time.Time) {
	if len(x.in.Raw) < echoSize || !t.fails.take(p.Remote.Addr(), now) {
		return
	}
	m := x.begin(stun.BindingSuccess)
	addMapped(m, p.Remote)
	_ = stun.Fingerprint.AddTo(m) // fails never
	x.Send = append(x.Send, m.Raw)
}

// addMapped adds XOR-MAPPED-ADDRESS, RFC 8489 §14.2.
func addMapped(m *stun.Message, a netip.AddrPort) {
	var b [20]byte
	binary.BigEndian.PutUint16(b[2:], a.Port()^magicCookie>>16)
	n := 8
	if ip := a.Addr(); ip.Is4() {
		b[1] = 1
		*(*[4]byte)(b[4:]) = ip.As4()
	} else {
		b[1], n = 2, 20
		*(*[16]byte)(b[4:]) = ip.As16()
	}
	for i := range b[4:n] {
		b[4+i] ^= m.Raw[4+i] // the cookie, then the transaction id
	}
	m.Add(stun.AttrXORMappedAddress, b[:n])
}
