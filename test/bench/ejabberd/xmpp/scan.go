package xmpp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// maxStanza is the largest stanza that a Scanner takes, in bytes: a page of an
// archive comes in many stanzas, and the list of a room's five thousand members
// is below half of this.
const maxStanza = 4 << 20

// Errors of a Scanner, beside those of its reader.
var (
	ErrTooLong   = errors.New("xmpp: a stanza is too long")
	ErrMalformed = errors.New("xmpp: not well-formed")
)

// Scanner cuts a stream (RFC 6120 §4) into its stanzas without decoding them. It
// takes what XMPP allows of XML: no comments, no processing instructions but the
// declaration, no CDATA (RFC 6120 §11.1).
type Scanner struct {
	r          io.Reader
	buf        []byte
	start, end int // what was read and not yet handed out
}

// NewScanner reads from r; buffers begin at size bytes and grow.
func NewScanner(r io.Reader, size int) *Scanner { return &Scanner{r: r, buf: make([]byte, size)} }

// Header reads up to the end of the stream's opening tag and returns the tag. It
// is called first, and again after each restart of the stream.
func (s *Scanner) Header() ([]byte, error) {
	at := 0
	for {
		open, err := s.find(at, '<')
		if err != nil {
			return nil, err
		}
		if !isSpace(s.buf[s.start+at : s.start+open]) {
			return nil, fmt.Errorf("%w: text before the stream's header", ErrMalformed)
		}
		closing, err := s.tag(open)
		if err != nil {
			return nil, err
		}
		tag := s.buf[s.start+open : s.start+closing]
		if bytes.HasPrefix(tag, []byte("<?xml")) {
			at = closing
			continue
		}
		if tag[1] == '?' || tag[1] == '!' || tag[1] == '/' || tag[len(tag)-2] == '/' {
			return nil, fmt.Errorf("%w: %.40q opens no stream", ErrMalformed, tag)
		}
		s.start += closing
		return tag, nil
	}
}

// Next returns the next stanza whole, valid until the next call. It returns
// io.EOF at the stream's closing tag, and io.ErrUnexpectedEOF if the connection
// ends without one.
func (s *Scanner) Next() ([]byte, error) {
	at, depth, first := 0, 0, -1
	for {
		open, err := s.find(at, '<')
		if err != nil {
			return nil, err
		}
		if depth == 0 && !isSpace(s.buf[s.start+at:s.start+open]) { // white space keeps connections alive
			return nil, fmt.Errorf("%w: text between stanzas", ErrMalformed)
		}
		closing, err := s.tag(open)
		if err != nil {
			return nil, err
		}
		tag := s.buf[s.start+open : s.start+closing]
		at = closing
		switch {
		case len(tag) < 3 || tag[1] == '!' || tag[1] == '?':
			return nil, fmt.Errorf("%w: %.40q", ErrMalformed, tag)
		case tag[1] == '/' && depth == 0:
			s.start += closing
			return nil, io.EOF
		case tag[1] == '/':
			depth--
		case tag[len(tag)-2] != '/':
			depth++
			fallthrough
		default:
			if first < 0 {
				first = open
			}
		}
		if depth == 0 {
			stanza := s.buf[s.start+first : s.start+closing]
			s.start += closing
			return stanza, nil
		}
	}
}

// tag returns the offset after the tag that opens at the offset open. A '>' may
// stand within an attribute's value.
func (s *Scanner) tag(open int) (int, error) {
	quote := byte(0)
	for i := open + 1; ; i++ {
		if s.start+i >= s.end {
			if err := s.more(); err != nil {
				return 0, err
			}
		}
		switch c := s.buf[s.start+i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '<':
			return 0, fmt.Errorf("%w: a tag within a tag", ErrMalformed)
		case c == '>':
			return i + 1, nil
		}
	}
}

// find returns the offset of the next c at or after the offset from.
func (s *Scanner) find(from int, c byte) (int, error) {
	for {
		if i := bytes.IndexByte(s.buf[s.start+from:s.end], c); i >= 0 {
			return from + i, nil
		}
		from = s.end - s.start
		if err := s.more(); err != nil {
			return 0, err
		}
	}
}

// more reads at least one more byte. Offsets from start stay true.
func (s *Scanner) more() error {
	switch {
	case s.start == s.end:
		s.start, s.end = 0, 0
	case s.end < len(s.buf): // room is left
	case s.start > 0:
		s.end = copy(s.buf, s.buf[s.start:s.end])
		s.start = 0
	case len(s.buf) >= maxStanza:
		return ErrTooLong
	default:
		s.buf = append(s.buf, make([]byte, len(s.buf))...)
	}
	n, err := s.r.Read(s.buf[s.end:])
	s.end += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func isSpace(b []byte) bool { return len(bytes.TrimSpace(b)) == 0 }

// Name is the name of the element that b begins with, prefix included.
func Name(b []byte) []byte {
	if len(b) < 2 || b[0] != '<' {
		return nil
	}
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case ' ', '\t', '\r', '\n', '/', '>':
			return b[1:i]
		}
	}
	return nil
}

// Attr is the raw value of the attribute called name in the first tag of b; nil
// if there is none.
func Attr(b []byte, name string) []byte {
	i := 1 + len(Name(b))
	for i < len(b) {
		for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n') {
			i++
		}
		from := i
		for i < len(b) && b[i] != '=' && b[i] != '>' && b[i] != '/' {
			i++
		}
		if i+1 >= len(b) || b[i] != '=' {
			return nil
		}
		key, quote := bytes.TrimSpace(b[from:i]), b[i+1]
		if quote != '"' && quote != '\'' {
			return nil
		}
		value := b[i+2:]
		n := bytes.IndexByte(value, quote)
		if n < 0 {
			return nil
		}
		if string(key) == name {
			return value[:n:n]
		}
		i += 2 + n + 1
	}
	return nil
}
