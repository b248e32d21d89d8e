package mls

import "fmt"

// WireFormat is the number of a kind of message (RFC 9420 §17.2).
type WireFormat uint16

// The wire formats.
const (
	WirePublicMessage  WireFormat = 1
	WirePrivateMessage WireFormat = 2
	WireWelcome        WireFormat = 3
	WireGroupInfo      WireFormat = 4
	WireKeyPackage     WireFormat = 5
)

// ContentType says what a framed message carries (RFC 9420 §6).
type ContentType uint8

// The content types.
const (
	ContentApplication ContentType = 1
	ContentProposal    ContentType = 2
	ContentCommit      ContentType = 3
)

// SenderType says in what role a message was sent (RFC 9420 §6).
type SenderType uint8

// The sender types.
const (
	SenderMember            SenderType = 1
	SenderExternal          SenderType = 2
	SenderNewMemberProposal SenderType = 3
	SenderNewMemberCommit   SenderType = 4
)

// Sender is who sent a message (RFC 9420 §6).
type Sender struct {
	Type  SenderType
	Leaf  LeafIndex // if Type is SenderMember
	Index uint32    // if Type is SenderExternal: position in external_senders
}

// MemberSender returns the Sender for the member at i.
func MemberSender(i LeafIndex) Sender { return Sender{Type: SenderMember, Leaf: i} }

// MarshalMLS implements Marshaler.
func (s Sender) MarshalMLS(e *Encoder) {
	e.Uint8(uint8(s.Type))
	switch s.Type {
	case SenderMember:
		e.Uint32(uint32(s.Leaf))
	case SenderExternal:
		e.Uint32(s.Index)
	case SenderNewMemberProposal, SenderNewMemberCommit:
	default:
		e.Fail("sender type %d", s.Type)
	}
}

// UnmarshalMLS implements Unmarshaler.
func (s *Sender) UnmarshalMLS(d *Decoder) {
	s.Type = SenderType(d.Uint8())
	switch s.Type {
	case SenderMember:
		s.Leaf = LeafIndex(d.Uint32())
	case SenderExternal:
		s.Index = d.Uint32()
	case SenderNewMemberProposal, SenderNewMemberCommit:
	default:
		d.Fail("sender type %d", s.Type)
	}
}

// FramedContent is a message before it is protected (RFC 9420 §6).
type FramedContent struct {
	GroupID           []byte
	Epoch             uint64
	Sender            Sender
	AuthenticatedData []byte // for anyone to read, covered by the signature
	Type              ContentType
	ApplicationData   []byte    // if Type is ContentApplication
	Proposal          *Proposal // if Type is ContentProposal
	Commit            *Commit   // if Type is ContentCommit
}

// MarshalMLS implements Marshaler.
func (c *FramedContent) MarshalMLS(e *Encoder) {
	e.Bytes(c.GroupID)
	e.Uint64(c.Epoch)
	c.Sender.MarshalMLS(e)
	e.Bytes(c.AuthenticatedData)
	e.Uint8(uint8(c.Type))
	c.MarshalBody(e)
}

// MarshalBody writes the part of the content that Type selects, as it stands at
// the beginning of a PrivateMessageContent (RFC 9420 §6.3.1).
func (c *FramedContent) MarshalBody(e *Encoder) {
	switch {
	case c.Type == ContentApplication:
		e.Bytes(c.ApplicationData)
	case c.Type == ContentProposal && c.Proposal != nil:
		c.Proposal.MarshalMLS(e)
	case c.Type == ContentCommit && c.Commit != nil:
		c.Commit.MarshalMLS(e)
	default:
		e.Fail("content type %d without its content", c.Type)
	}
}

// about is roughly the size of the encoding with a context, for an Encoder to
// begin with: a path to a room that was filled in one go has a megabyte.
func (c *FramedContent) about() int {
	n := 512 + len(c.ApplicationData) + len(c.AuthenticatedData)
	if c.Commit != nil && c.Commit.Path != nil {
		for _, node := range c.Commit.Path.Nodes {
			n += len(node.EncryptionKey) + 16
			for _, c := range node.Secrets {
				n += len(c.KEMOutput) + len(c.Ciphertext) + 8
			}
		}
	}
	return n
}

// UnmarshalMLS implements Unmarshaler.
func (c *FramedContent) UnmarshalMLS(d *Decoder) {
	c.GroupID = d.Bytes(maxGroupID)
	c.Epoch = d.Uint64()
	c.Sender.UnmarshalMLS(d)
	c.AuthenticatedData = d.Bytes(maxMessage)
	c.Type = ContentType(d.Uint8())
	c.UnmarshalBody(d)
}

// UnmarshalBody reads what MarshalBody writes; Type must be set.
func (c *FramedContent) UnmarshalBody(d *Decoder) {
	switch c.Type {
	case ContentApplication:
		c.ApplicationData = d.Bytes(maxMessage)
	case ContentProposal:
		c.Proposal = new(Proposal)
		c.Proposal.UnmarshalMLS(d)
	case ContentCommit:
		c.Commit = new(Commit)
		c.Commit.UnmarshalMLS(d)
	default:
		d.Fail("content type %d", c.Type)
	}
}

// ContentAuth is what authenticates a FramedContent (RFC 9420 §6.1).
type ContentAuth struct {
	Signature       []byte
	ConfirmationTag []byte // if the content is a commit
}

// MarshalFor writes the authentication of a content of type t.
func (a ContentAuth) MarshalFor(e *Encoder, t ContentType) {
	e.Bytes(a.Signature)
	if t == ContentCommit {
		e.Bytes(a.ConfirmationTag)
	}
}

// UnmarshalFor reads what MarshalFor writes.
func (a *ContentAuth) UnmarshalFor(d *Decoder, t ContentType) {
	a.Signature = d.Bytes(maxSignature)
	if t == ContentCommit {
		a.ConfirmationTag = d.Bytes(maxHash)
	}
}

// AuthenticatedContent is a message with its signature, in whatever wire format
// it travels (RFC 9420 §6.1). Proposals are referred to by its hash.
type AuthenticatedContent struct {
	WireFormat WireFormat
	Content    FramedContent
	Auth       ContentAuth
}

// MarshalMLS implements Marshaler.
func (a *AuthenticatedContent) MarshalMLS(e *Encoder) {
	e.Uint16(uint16(a.WireFormat))
	a.Content.MarshalMLS(e)
	a.Auth.MarshalFor(e, a.Content.Type)
}

// UnmarshalMLS implements Unmarshaler.
func (a *AuthenticatedContent) UnmarshalMLS(d *Decoder) {
	a.WireFormat = WireFormat(d.Uint16())
	a.Content.UnmarshalMLS(d)
	a.Auth.UnmarshalFor(d, a.Content.Type)
}

// ProposalRef is the hash by which a commit names the proposal in a (RFC 9420
// §5.2).
func (a *AuthenticatedContent) ProposalRef(s Suite) ([]byte, error) {
	ref, _, err := a.proposalRef(s)
	return ref, err
}

// proposalRef returns the size of the encoding too.
func (a *AuthenticatedContent) proposalRef(s Suite) (ref []byte, size int, err error) {
	b, err := Marshal(a)
	if err != nil {
		return nil, 0, err
	}
	return s.RefHash("MLS 1.0 Proposal Reference", b), len(b), nil
}

// SignedContent is what the sender signs under the label FramedContentLabel.
// context is the GroupContext of the epoch in which the message is sent; it
// counts only for members and external committers (RFC 9420 §6.1).
func (a *AuthenticatedContent) SignedContent(context *GroupContext) ([]byte, error) {
	e := encoderFor(a.Content.about())
	a.marshalSigned(&e, context)
	return e.Result()
}

func (a *AuthenticatedContent) marshalSigned(e *Encoder, context *GroupContext) {
	e.Uint16(uint16(MLS10))
	e.Uint16(uint16(a.WireFormat))
	a.Content.MarshalMLS(e)
	if t := a.Content.Sender.Type; t == SenderMember || t == SenderNewMemberCommit {
		context.MarshalMLS(e)
	}
}

// TaggedContent is what the membership tag of a PublicMessage covers (RFC 9420
// §6.2).
func (a *AuthenticatedContent) TaggedContent(context *GroupContext) ([]byte, error) {
	e := encoderFor(a.Content.about())
	a.marshalSigned(&e, context)
	a.Auth.MarshalFor(&e, a.Content.Type)
	return e.Result()
}

// ConfirmedHash returns the confirmed transcript hash after the commit in a,
// where interim is the interim transcript hash before it (RFC 9420 §8.2).
func (a *AuthenticatedContent) ConfirmedHash(s Suite, interim []byte) ([]byte, error) {
	e := encoderFor(a.Content.about())
	e.Uint16(uint16(a.WireFormat))
	a.Content.MarshalMLS(&e)
	e.Bytes(a.Auth.Signature)
	b, err := e.Result()
	if err != nil {
		return nil, err
	}
	return s.Hash(interim, b), nil
}

// InterimHash returns the interim transcript hash that follows from a confirmed
// one and a confirmation tag (RFC 9420 §8.2).
func InterimHash(s Suite, confirmed, tag []byte) []byte {
	var e Encoder
	e.Bytes(tag)
	return s.Hash(confirmed, e.buf)
}

// PublicMessage is a message that is signed but not encrypted (RFC 9420 §6.2).
type PublicMessage struct {
	Content       FramedContent
	Auth          ContentAuth
	MembershipTag []byte // if the sender is a member
}

// MarshalMLS implements Marshaler.
func (m *PublicMessage) MarshalMLS(e *Encoder) {
	m.Content.MarshalMLS(e)
	m.Auth.MarshalFor(e, m.Content.Type)
	if m.Content.Sender.Type == SenderMember {
		e.Bytes(m.MembershipTag)
	}
}

// UnmarshalMLS implements Unmarshaler.
func (m *PublicMessage) UnmarshalMLS(d *Decoder) {
	m.Content.UnmarshalMLS(d)
	m.Auth.UnmarshalFor(d, m.Content.Type)
	if m.Content.Sender.Type == SenderMember {
		m.MembershipTag = d.Bytes(maxHash)
	}
}

// Authenticated returns the message without its membership tag.
func (m *PublicMessage) Authenticated() *AuthenticatedContent {
	return &AuthenticatedContent{WirePublicMessage, m.Content, m.Auth}
}

// PrivateMessage is a message that only members can read (RFC 9420 §6.3). Of
// its header everybody sees the group, the epoch, the type and
// AuthenticatedData.
type PrivateMessage struct {
	GroupID           []byte
	Epoch             uint64
	Type              ContentType
	AuthenticatedData []byte
	SenderData        []byte // encrypted: who sent it, with which key
	Ciphertext        []byte
}

// MarshalMLS implements Marshaler.
func (m *PrivateMessage) MarshalMLS(e *Encoder) {
	e.Bytes(m.GroupID)
	e.Uint64(m.Epoch)
	e.Uint8(uint8(m.Type))
	e.Bytes(m.AuthenticatedData)
	e.Bytes(m.SenderData)
	e.Bytes(m.Ciphertext)
}

// UnmarshalMLS implements Unmarshaler.
func (m *PrivateMessage) UnmarshalMLS(d *Decoder) {
	m.GroupID = d.Bytes(maxGroupID)
	m.Epoch = d.Uint64()
	m.Type = ContentType(d.Uint8())
	if d.Err() == nil && (m.Type < ContentApplication || m.Type > ContentCommit) {
		d.Fail("content type %d", m.Type)
	}
	m.AuthenticatedData = d.Bytes(maxMessage)
	m.SenderData = d.Bytes(maxHash)
	m.Ciphertext = d.Bytes(maxMessage)
}

// Message is the outermost object, MLSMessage (RFC 9420 §6). Exactly one field
// is set.
type Message struct {
	Public     *PublicMessage
	Private    *PrivateMessage
	Welcome    *Welcome
	GroupInfo  *GroupInfo
	KeyPackage *KeyPackage
}

// Format returns the wire format of the message, 0 if it is empty.
func (m Message) Format() WireFormat {
	switch {
	case m.Public != nil:
		return WirePublicMessage
	case m.Private != nil:
		return WirePrivateMessage
	case m.Welcome != nil:
		return WireWelcome
	case m.GroupInfo != nil:
		return WireGroupInfo
	case m.KeyPackage != nil:
		return WireKeyPackage
	}
	return 0
}

// MarshalMLS implements Marshaler.
func (m Message) MarshalMLS(e *Encoder) {
	e.Uint16(uint16(MLS10))
	e.Uint16(uint16(m.Format()))
	switch m.Format() {
	case WirePublicMessage:
		m.Public.MarshalMLS(e)
	case WirePrivateMessage:
		m.Private.MarshalMLS(e)
	case WireWelcome:
		m.Welcome.MarshalMLS(e)
	case WireGroupInfo:
		m.GroupInfo.MarshalMLS(e)
	case WireKeyPackage:
		m.KeyPackage.MarshalMLS(e)
	default:
		e.Fail("an empty message")
	}
}

// UnmarshalMLS implements Unmarshaler.
func (m *Message) UnmarshalMLS(d *Decoder) {
	if v := d.Uint16(); d.Err() == nil && v != uint16(MLS10) {
		d.Fail("protocol version %d", v)
		return
	}
	switch f := WireFormat(d.Uint16()); f {
	case WirePublicMessage:
		m.Public = new(PublicMessage)
		m.Public.UnmarshalMLS(d)
	case WirePrivateMessage:
		m.Private = new(PrivateMessage)
		m.Private.UnmarshalMLS(d)
	case WireWelcome:
		m.Welcome = new(Welcome)
		m.Welcome.UnmarshalMLS(d)
	case WireGroupInfo:
		m.GroupInfo = new(GroupInfo)
		m.GroupInfo.UnmarshalMLS(d)
	case WireKeyPackage:
		m.KeyPackage = new(KeyPackage)
		m.KeyPackage.UnmarshalMLS(d)
		if d.Err() == nil && m.KeyPackage.Version != MLS10 {
			d.Fail("key package of version %d in a message of version 1", m.KeyPackage.Version)
		}
	default:
		d.Fail("wire format %d", f)
	}
}

// ParseMessage decodes an MLSMessage.
func ParseMessage(b []byte) (Message, error) {
	var m Message
	if err := Unmarshal(b, &m); err != nil {
		return Message{}, err
	}
	return m, nil
}

// ParsePublic decodes an MLSMessage that must be a PublicMessage.
func ParsePublic(b []byte) (*PublicMessage, error) {
	m, err := ParseMessage(b)
	if err == nil && m.Public == nil {
		err = fmt.Errorf("%w: %d, not a public message", ErrWireFormat, m.Format())
	}
	return m.Public, err
}

// ParsePrivate decodes an MLSMessage that must be a PrivateMessage.
func ParsePrivate(b []byte) (*PrivateMessage, error) {
	m, err := ParseMessage(b)
	if err == nil && m.Private == nil {
		err = fmt.Errorf("%w: %d, not a private message", ErrWireFormat, m.Format())
	}
	return m.Private, err
}

// ParseWelcome decodes an MLSMessage that must be a Welcome.
func ParseWelcome(b []byte) (*Welcome, error) {
	m, err := ParseMessage(b)
	if err == nil && m.Welcome == nil {
		err = fmt.Errorf("%w: %d, not a welcome", ErrWireFormat, m.Format())
	}
	return m.Welcome, err
}

// ParseGroupInfo decodes an MLSMessage that must be a GroupInfo.
func ParseGroupInfo(b []byte) (*GroupInfo, error) {
	m, err := ParseMessage(b)
	if err == nil && m.GroupInfo == nil {
		err = fmt.Errorf("%w: %d, not a group info", ErrWireFormat, m.Format())
	}
	return m.GroupInfo, err
}

// ParseKeyPackage decodes an MLSMessage that must be a KeyPackage.
func ParseKeyPackage(b []byte) (*KeyPackage, error) {
	m, err := ParseMessage(b)
	if err == nil && m.KeyPackage == nil {
		err = fmt.Errorf("%w: %d, not a key package", ErrWireFormat, m.Format())
	}
	return m.KeyPackage, err
}
