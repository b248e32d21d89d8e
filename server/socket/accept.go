package socket

import (
	"crypto/sha1" // RFC 6455 §4.2.2 asks for it; it protects nothing
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// accepted is added to a client's key before it is hashed, RFC 6455 §4.2.2.
const accepted = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// handshakeTimeout is how long a peer may take the answer to its upgrade.
const handshakeTimeout = 10 * time.Second

// ErrHandshake is returned by Accept for a request that asks for no WebSocket,
// or not in our way. It was answered.
var ErrHandshake = errors.New("no WebSocket handshake")

// Accept upgrades a request whose origin was checked, and takes its connection
// over. A client that does not offer the subprotocol is let in all the same and
// told none: the caller closes it with a status, which browsers show.
func Accept(w http.ResponseWriter, r *http.Request, subprotocol string, max int) (c *Conn, agreed bool, err error) {
	key, status, why := judge(r)
	if why != "" {
		if status == http.StatusUpgradeRequired {
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "websocket")
		}
		w.Header().Set("Sec-WebSocket-Version", "13")
		http.Error(w, why, status)
		return nil, false, fmt.Errorf("%w: %s", ErrHandshake, why)
	}
	raw, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "this connection cannot be upgraded", http.StatusNotImplemented)
		return nil, false, fmt.Errorf("take the connection over: %w", err)
	}
	for _, offered := range r.Header.Values("Sec-WebSocket-Protocol") {
		for p := range strings.SplitSeq(offered, ",") {
			agreed = agreed || strings.TrimSpace(p) == subprotocol
		}
	}
	sum := sha1.Sum([]byte(key + accepted))
	var b strings.Builder
	b.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ")
	b.WriteString(base64.StdEncoding.EncodeToString(sum[:]))
	b.WriteString("\r\n")
	if agreed {
		b.WriteString("Sec-WebSocket-Protocol: " + subprotocol + "\r\n")
	}
	_ = w.Header().Write(&b) // what every answer of the site carries
	b.WriteString("\r\n")
	early, _ := rw.Reader.Peek(rw.Reader.Buffered()) // what came behind the request
	early = append([]byte(nil), early...)
	_ = raw.SetDeadline(time.Now().Add(handshakeTimeout)) // fails only for what is closed, as the next line tells
	if _, err := raw.Write([]byte(b.String())); err != nil {
		_ = raw.Close()
		return nil, false, fmt.Errorf("answer the handshake: %w", err)
	}
	_ = raw.SetDeadline(time.Time{})
	return newConn(raw, early, max), agreed, nil
}

// Over returns a WebSocket over a connection whose handshake is done.
func Over(c net.Conn, max int) *Conn { return newConn(c, nil, max) }

// judge returns the client's key, or how to refuse the request: RFC 6455 §4.2.1.
func judge(r *http.Request) (key string, status int, why string) {
	switch keys := r.Header.Values("Sec-WebSocket-Key"); {
	case r.Method != http.MethodGet:
		return "", http.StatusMethodNotAllowed, "a WebSocket begins with GET"
	case !r.ProtoAtLeast(1, 1) || r.ProtoMajor != 1:
		return "", http.StatusUpgradeRequired, "a WebSocket begins in HTTP/1.1"
	case !lists(r.Header, "Connection", "upgrade") || !lists(r.Header, "Upgrade", "websocket"):
		return "", http.StatusUpgradeRequired, "this address speaks WebSocket"
	case r.Header.Get("Sec-WebSocket-Version") != "13":
		return "", http.StatusUpgradeRequired, "the version of the WebSocket protocol is 13"
	case r.ContentLength != 0:
		return "", http.StatusBadRequest, "a WebSocket begins without a body"
	case len(keys) != 1:
		return "", http.StatusBadRequest, "there is one Sec-WebSocket-Key"
	default:
		key = strings.TrimSpace(keys[0])
		if b, err := base64.StdEncoding.DecodeString(key); err != nil || len(b) != 16 {
			return "", http.StatusBadRequest, "Sec-WebSocket-Key is not 16 bytes in base64"
		}
		return key, 0, ""
	}
}

// lists reports whether a header's comma-separated values hold a token.
func lists(h http.Header, name, token string) bool {
	for _, v := range h.Values(name) {
		for t := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

// lineOf returns the Line at the bottom of a connection, nil if there is none.
func lineOf(c net.Conn) *Line {
	if l, ok := c.(*Line); ok {
		return l
	}
	if t, ok := c.(interface{ NetConn() net.Conn }); ok { // *tls.Conn
		l, _ := t.NetConn().(*Line)
		return l
	}
	return nil
}

var _ interface{ NetConn() net.Conn } = (*tls.Conn)(nil)
