package content

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/veche-im/veche/wire"
)

// Kind is what a message means to us.
type Kind string

const (
	KindText     Kind = "text"     // Text, Files or both; InReplyTo may be set
	KindEdit     Kind = "edit"     // Replaces gets Text and Files instead of what it had
	KindDelete   Kind = "delete"   // Replaces is taken back
	KindReaction Kind = "reaction" // Text is an emoji for InReplyTo; Replaces may be an earlier reaction
	KindName     Kind = "name"     // Text is the room's name
	KindAsk      Kind = "ask"      // asks for the room's name to be said again
	KindMissing  Kind = "missing"  // Missing could not be opened: whoever sent it is asked to say it again
	KindAgain    Kind = "again"    // Again was sent before
	KindCall     Kind = "call"     // Call began
	KindCallEnd  Kind = "call_end" // Call ended
	KindUnknown  Kind = "unknown"  // of a newer version or another client
)

// View is a message as Veche understands it.
type View struct {
	Kind      Kind
	Text      string // Markdown, for KindText and KindEdit
	Files     []File
	InReplyTo *ID
	Replaces  *ID
	Call      *Call // for KindCall and KindCallEnd
	Missing   []Sent
	Again     *Again
}

// Sent names an entry by who sent it.
type Sent struct {
	Device wire.DeviceID `cbor:"device"`
	Client wire.ClientID `cbor:"client"`
}

// Again is what the sender had sent under a client id.
type Again struct {
	Client  wire.ClientID `cbor:"client"`
	Content []byte        `cbor:"content"`
}

// MaxMissing is how many entries one message asks for.
const MaxMissing = 200

const (
	markdownType = "text/markdown;variant=GFM-MIMI"
	plainType    = "text/plain;charset=utf-8"
	roomType     = "application/vnd.veche.room+cbor"
)

// Made is a message that was made and is ready to be sealed.
type Made struct {
	Message *Message
	Content []byte // its bytes: what is sealed and what its id is made from
}

func finish(m *Message) (Made, error) {
	rand.Read(m.Salt[:])
	b, err := m.Encode()
	if err != nil {
		return Made{}, err
	}
	return Made{m, b}, nil
}

// NewText makes a message with text, files or both, perhaps in reply to another.
// Previews that do not fit beside the rest are left out, the last file's first.
func NewText(text string, files []File, inReplyTo *ID) (Made, error) {
	return newBody(text, files, &Message{InReplyTo: inReplyTo})
}

// NewEdit makes a message that replaces the text and files of an earlier one,
// which itself was in reply to inReplyTo, or to nothing.
func NewEdit(replaces ID, text string, files []File, inReplyTo *ID) (Made, error) {
	return newBody(text, files, &Message{Replaces: &replaces, InReplyTo: inReplyTo})
}

func newBody(text string, files []File, m *Message) (Made, error) {
	if strings.TrimSpace(text) == "" && len(files) == 0 {
		return Made{}, ErrEmpty
	}
	if !utf8.ValidString(text) {
		return Made{}, fmt.Errorf("%w: text is not UTF-8", ErrMalformed)
	}
	if n := utf8.RuneCountInString(text); n > MaxText {
		return Made{}, fmt.Errorf("%w: text of %d characters", ErrTooLarge, n)
	}
	if len(files) > MaxFiles {
		return Made{}, fmt.Errorf("%w: %d files", ErrTooLarge, len(files))
	}
	if err := setBody(m, text, files); err != nil {
		return Made{}, err
	}
	return finish(m)
}

// NewDelete makes a message that takes an earlier one back; that one was in
// reply to inReplyTo, or to nothing.
func NewDelete(replaces ID, inReplyTo *ID) (Made, error) {
	return finish(&Message{Replaces: &replaces, InReplyTo: inReplyTo, Body: Part{Disposition: Render}})
}

// NewReaction makes a message that reacts to another with an emoji, instead of
// an earlier reaction if replaces is set.
func NewReaction(to ID, emoji string, replaces *ID) (Made, error) {
	if emoji == "" || len(emoji) > MaxReaction || !utf8.ValidString(emoji) {
		return Made{}, fmt.Errorf("%w: reaction of %d bytes", ErrMalformed, len(emoji))
	}
	return finish(&Message{InReplyTo: &to, Replaces: replaces, Body: Part{
		Disposition: Reaction, Single: &Single{plainType, []byte(emoji)},
	}})
}

// NewUnreaction makes a message that takes a reaction back.
func NewUnreaction(to, replaces ID) (Made, error) {
	return finish(&Message{InReplyTo: &to, Replaces: &replaces, Body: Part{Disposition: Reaction}})
}

// roomState is what a part of roomType holds: a name, or a question for it.
type roomState struct {
	Version int    `cbor:"v"`
	Name    string `cbor:"name,omitempty"`
	Ask     bool   `cbor:"ask,omitempty"`
	Missing []Sent `cbor:"missing,omitempty"`
	Again   *Again `cbor:"again,omitempty"`
}

// NewName makes a message that says a room's name: 1 to MaxRoomName characters,
// nothing invisible, no space at its ends. Anything else is ErrMalformed.
func NewName(name string) (Made, error) {
	if !roomName(name) {
		return Made{}, fmt.Errorf("%w: room name %q", ErrMalformed, name)
	}
	return newRoomState(roomState{Version: 1, Name: name})
}

// NewAsk makes a message that asks for a room's name.
func NewAsk() (Made, error) { return newRoomState(roomState{Version: 1, Ask: true}) }

// NewMissing makes a message that asks for entries to be said again, at most
// MaxMissing.
func NewMissing(entries []Sent) (Made, error) {
	if len(entries) == 0 || len(entries) > MaxMissing {
		return Made{}, fmt.Errorf("%w: %d entries", ErrMalformed, len(entries))
	}
	return newRoomState(roomState{Version: 1, Missing: entries})
}

// NewAgain makes a message that says again what was sent under a client id. What
// does not fit is ErrTooLarge.
func NewAgain(client wire.ClientID, said []byte) (Made, error) {
	return newRoomState(roomState{Version: 1, Again: &Again{client, said}})
}

func newRoomState(s roomState) (Made, error) {
	b, err := wire.Encode(s)
	if err != nil {
		return Made{}, fmt.Errorf("encode the state of a room: %w", err)
	}
	return finish(&Message{Body: Part{Disposition: Render, Single: &Single{roomType, b}}})
}

// Read decodes a content and says what it means. What is MIMI content but not
// ours, or over our caps, is KindUnknown; what is no MIMI content at all is
// ErrMalformed.
func Read(b []byte) (View, *Message, error) {
	m, err := Decode(b)
	if err != nil {
		return View{}, nil, err
	}
	return m.View(), m, nil
}

// View says what m means to us.
func (m *Message) View() View {
	v := View{Kind: KindUnknown, InReplyTo: m.InReplyTo, Replaces: m.Replaces}
	body := &m.Body
	switch {
	case body.isNull():
		if m.Replaces != nil {
			v.Kind = KindDelete
		}
	case body.Disposition == Reaction:
		if s, ok := body.reaction(); ok && m.InReplyTo != nil {
			v.Kind, v.Text = KindReaction, s
		}
	case body.Single != nil && body.Single.Type == roomType:
		if m.Replaces == nil {
			v.readRoomState(body.Single.Content)
		}
	case body.Single != nil && body.Single.Type == callType:
		if m.Replaces == nil {
			v.Kind, v.Call = readCall(body.Single.Content)
		}
	default:
		text, files, ok := m.readBody()
		if !ok {
			break
		}
		v.Kind, v.Text, v.Files = KindText, text, files
		if m.Replaces != nil {
			v.Kind = KindEdit
		}
	}
	return v
}

func (p *Part) isNull() bool { return p.Single == nil && p.External == nil && p.Multi == nil }

func (p *Part) reaction() (string, bool) {
	if p.Single == nil || len(p.Single.Content) > MaxReaction {
		return "", false
	}
	s, ok := p.Single.text()
	return s, ok && s != ""
}

// readRoomState reads what the single part of a room's state says: one thing.
func (v *View) readRoomState(b []byte) {
	var s roomState
	if err := wire.Decode(b, &s); err != nil || s.Version != 1 {
		return
	}
	if again, err := wire.Encode(s); err != nil || !bytes.Equal(again, b) {
		return
	}
	plain := s.Name == "" && !s.Ask
	switch {
	case len(s.Missing) > 0 && len(s.Missing) <= MaxMissing && s.Again == nil && plain:
		v.Kind, v.Missing = KindMissing, s.Missing
	case s.Again != nil && s.Missing == nil && plain:
		v.Kind, v.Again = KindAgain, s.Again
	case s.Missing != nil || s.Again != nil:
	case s.Ask && s.Name == "":
		v.Kind = KindAsk
	case !s.Ask && roomName(s.Name):
		v.Kind, v.Text = KindName, s.Name
	}
}
