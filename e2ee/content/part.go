package content

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"

	"github.com/veche-im/veche/wire"
)

// Disposition is what a part is for, draft §8.2.2.
type Disposition uint8

const (
	Unspecified Disposition = 0
	Render      Disposition = 1
	Reaction    Disposition = 2
	Profile     Disposition = 3
	Inline      Disposition = 4
	Icon        Disposition = 5
	Attachment  Disposition = 6
	Session     Disposition = 7
	Preview     Disposition = 8
)

// Semantics is how the parts of a part belong together.
type Semantics uint8

const (
	ChooseOne  Semantics = 0 // the receiver picks one
	SingleUnit Semantics = 1 // all or nothing
	ProcessAll Semantics = 2 // as many as the receiver understands
)

// The kinds of part.
const (
	nullCardinality     = 0
	singleCardinality   = 1
	externalCardinality = 2
	multiCardinality    = 3
)

// Part is a body or a part of one. At most one of Single, External and Multi is
// set; with none it is empty (a null part).
type Part struct {
	Disposition Disposition
	Language    string
	Single      *Single
	External    *External
	Multi       *Multi
}

// Single is a part that holds its content.
type Single struct {
	Type    string // media type
	Content []byte
}

// External is a part whose content lies elsewhere, draft §4.5.
type External struct {
	Type        string // media type
	URL         string
	Expires     uint32 // seconds since 1970, 0 for never
	Size        uint64 // bytes, 0 for unknown
	EncAlg      uint16 // AEAD number, 0 for none
	Key         []byte
	Nonce       []byte
	AAD         []byte
	HashAlg     uint8 // named information hash, 0 for none
	Hash        []byte
	Description string
	Filename    string
}

// Multi is a part of at least two parts.
type Multi struct {
	Semantics Semantics
	Parts     []Part
}

var errPart = errors.New("impossible part")

// check looks for what cannot be encoded as the draft says.
func (p *Part) check() error {
	kinds := 0
	if p.Single != nil {
		kinds++
	}
	if p.External != nil {
		kinds++
	}
	if p.Multi != nil {
		kinds++
		if len(p.Multi.Parts) < 2 || p.Multi.Semantics > ProcessAll {
			return fmt.Errorf("%w: %w", ErrMalformed, errPart)
		}
		for i := range p.Multi.Parts {
			if err := p.Multi.Parts[i].check(); err != nil {
				return err
			}
		}
	}
	if kinds > 1 {
		return fmt.Errorf("%w: %w", ErrMalformed, errPart)
	}
	return nil
}

func (p *Part) encode() []any {
	head := []any{p.Disposition, p.Language}
	switch {
	case p.Single != nil:
		return append(head, singleCardinality, p.Single.Type, bytesOf(p.Single.Content))
	case p.External != nil:
		e := p.External
		return append(head, externalCardinality, e.Type, e.URL, e.Expires, e.Size, e.EncAlg, bytesOf(e.Key), bytesOf(e.Nonce),
			bytesOf(e.AAD), e.HashAlg, bytesOf(e.Hash), e.Description, e.Filename)
	case p.Multi != nil:
		parts := make([]any, len(p.Multi.Parts))
		for i := range p.Multi.Parts {
			parts[i] = p.Multi.Parts[i].encode()
		}
		return append(head, multiCardinality, p.Multi.Semantics, parts)
	}
	return append(head, nullCardinality)
}

// decodePart reads a part with at most depth levels of parts and at most *left
// parts in it, itself included.
func decodePart(b []byte, depth int, left *int) (p Part, err error) {
	if *left--; depth == 0 || *left < 0 {
		return p, errors.New("too many parts")
	}
	var f []cbor.RawMessage
	if err := wire.Decode(b, &f); err != nil {
		return p, err
	}
	if len(f) < 3 {
		return p, fmt.Errorf("part of %d", len(f))
	}
	if p.Disposition, err = value[Disposition](f[0]); err != nil {
		return p, err
	}
	if p.Language, err = value[string](f[1]); err != nil {
		return p, err
	}
	cardinality, err := value[uint8](f[2])
	if err != nil {
		return p, err
	}
	f = f[3:]
	switch cardinality {
	case nullCardinality:
		if len(f) != 0 {
			err = errPart
		}
	case singleCardinality:
		p.Single, err = decodeSingle(f)
	case externalCardinality:
		p.External, err = decodeExternal(f)
	case multiCardinality:
		p.Multi, err = decodeMulti(f, depth, left)
	default:
		err = errPart
	}
	return p, err
}

func decodeSingle(f []cbor.RawMessage) (*Single, error) {
	s := &Single{}
	return s, fields(f, &s.Type, &s.Content)
}

func decodeExternal(f []cbor.RawMessage) (*External, error) {
	e := &External{}
	return e, fields(f, &e.Type, &e.URL, &e.Expires, &e.Size, &e.EncAlg, &e.Key, &e.Nonce, &e.AAD, &e.HashAlg, &e.Hash,
		&e.Description, &e.Filename)
}

// fields decodes one value into each of dst.
func fields(f []cbor.RawMessage, dst ...any) error {
	if len(f) != len(dst) {
		return errPart
	}
	for i := range f {
		if err := wire.Decode(f[i], dst[i]); err != nil {
			return err
		}
	}
	return nil
}

func decodeMulti(f []cbor.RawMessage, depth int, left *int) (*Multi, error) {
	m := &Multi{}
	var parts []cbor.RawMessage
	if err := fields(f, &m.Semantics, &parts); err != nil {
		return nil, err
	}
	if len(parts) > *left {
		return nil, errors.New("too many parts")
	}
	for _, b := range parts {
		p, err := decodePart(b, depth-1, left)
		if err != nil {
			return nil, err
		}
		m.Parts = append(m.Parts, p)
	}
	return m, nil
}

// text returns s's content as a string if it is text that we show.
func (s *Single) text() (string, bool) {
	base, params := mediaType(s.Type)
	switch base {
	case "text/markdown":
	case "text/plain":
		if c, ok := params["charset"]; ok && c != "utf-8" && c != "us-ascii" {
			return "", false
		}
	default:
		return "", false
	}
	if !utf8.Valid(s.Content) || utf8.RuneCount(s.Content) > MaxText {
		return "", false
	}
	return string(s.Content), true
}
