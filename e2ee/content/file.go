package content

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/veche-im/veche/e2ee/seal"
	"github.com/veche-im/veche/wire"
)

// File is a sealed file that a message carries, draft §4.5.
type File struct {
	Blob        wire.BlobID
	Key         seal.Key
	Size        int64     // plain bytes
	Hash        wire.Hash // SHA-256 of the sealed bytes
	Name        string    // as the sender gave it: show and save SafeName of it
	Type        string    // media type, without parameters
	Width       int       // of pictures and video, pixels; 0 for others
	Height      int
	Thumb       []byte // thumbhash
	Preview     []byte // a small picture …
	PreviewType string // … and its type: image/webp or image/jpeg
}

const (
	blobScheme = "veche:blob:"
	// encStream is the STREAM of docs/spec/sealing.md, in the range of AEAD
	// numbers that RFC 5116 leaves for private use.
	encStream = 0xF0B3
	// hashSHA256 is the number of SHA-256 among named information hashes.
	hashSHA256 = 1
	// mediaKey is our extension: from a part's index to width, height and
	// thumbhash.
	mediaKey    = "im.veche.media"
	unknownType = "application/octet-stream"
	maxSize     = 1 << 40 // bytes, beyond what any site allows
)

// media is what mediaKey says of one part.
type media struct {
	_      struct{} `cbor:",toarray"`
	Width  int
	Height int
	Thumb  []byte
}

func (f *File) hasMedia() bool { return f.Width > 0 || f.Height > 0 || len(f.Thumb) > 0 }

func (f *File) check() error {
	switch {
	case f.Blob.IsZero() || f.Key.IsZero() || f.Size < 0:
		return fmt.Errorf("%w: file without blob, key or size", ErrMalformed)
	case len(f.Thumb) > MaxThumb || len(f.Preview) > MaxPreview:
		return fmt.Errorf("%w: thumb or preview of file", ErrTooLarge)
	case len(f.Preview) > 0 && !isPreviewType(f.PreviewType):
		return fmt.Errorf("%w: preview of type %q", ErrMalformed, f.PreviewType)
	case f.Width < 0 || f.Width > MaxPicture || f.Height < 0 || f.Height > MaxPicture:
		return fmt.Errorf("%w: picture of %d × %d", ErrMalformed, f.Width, f.Height)
	}
	return nil
}

func isPreviewType(t string) bool { return t == "image/webp" || t == "image/jpeg" }

// part returns the file as a part, without its preview.
func (f *File) part() Part {
	p := Part{Disposition: Attachment, External: &External{
		Type:     cleanType(f.Type),
		URL:      blobScheme + f.Blob.String(),
		Size:     uint64(f.Size),
		EncAlg:   encStream,
		Key:      f.Key.Bytes(),
		HashAlg:  hashSHA256,
		Hash:     f.Hash[:],
		Filename: shorten(strings.ToValidUTF8(f.Name, "_")),
	}}
	if f.Width > 0 && f.Height > 0 {
		p.Disposition = Inline
	}
	return p
}

// cleanType returns a media type without parameters, or the one for bytes of
// unknown kind.
func cleanType(t string) string {
	if base, _ := mediaType(t); base != "" {
		return base
	}
	return unknownType
}

// setBody writes text and files as m's body: the text, then each file, followed
// by its preview if it has one. One thing alone stands by itself.
func setBody(m *Message, text string, files []File) error {
	var parts []Part
	if strings.TrimSpace(text) != "" {
		parts = append(parts, Part{Disposition: Render, Single: &Single{markdownType, []byte(text)}})
	}
	known := map[uint64]media{}
	at := make([]int, len(files)) // of each file among parts
	for i := range files {
		f := &files[i]
		if err := f.check(); err != nil {
			return err
		}
		at[i] = len(parts)
		parts = append(parts, f.part())
		if len(f.Preview) > 0 {
			parts = append(parts, Part{Disposition: Preview, Single: &Single{f.PreviewType, f.Preview}})
		}
	}
	for {
		size := 0
		for i := range parts {
			size += parts[i].size()
		}
		last := lastPreview(parts)
		if size <= MaxContent-maxExtension-1024 || last < 0 {
			break
		}
		parts = append(parts[:last:last], parts[last+1:]...)
		for i := range at {
			if at[i] > last {
				at[i]--
			}
		}
	}
	for i := range files {
		if f := &files[i]; f.hasMedia() {
			index := uint64(at[i] + 1) // the body itself has index 0, draft §4.4
			if len(parts) == 1 {
				index = 0
			}
			known[index] = media{Width: f.Width, Height: f.Height, Thumb: bytesOf(f.Thumb)}
		}
	}
	if len(known) > 0 {
		v, err := wire.Encode(known)
		if err != nil {
			return fmt.Errorf("encode what pictures look like: %w", err)
		}
		m.Extensions = append(m.Extensions, Extension{Name: mediaKey, Value: v})
	}
	m.Body = parts[0]
	if len(parts) > 1 {
		m.Body = Part{Disposition: Render, Multi: &Multi{ProcessAll, parts}}
	}
	return nil
}

// size is about how many bytes a part takes, rather more than less.
func (p *Part) size() int {
	switch {
	case p.Single != nil:
		return len(p.Single.Content) + len(p.Single.Type) + 32
	case p.External != nil:
		return len(p.External.Filename) + len(p.External.Type) + 256
	}
	return 32
}

func lastPreview(parts []Part) int {
	for i := len(parts) - 1; i >= 0; i-- {
		if parts[i].Disposition == Preview {
			return i
		}
	}
	return -1
}

// reader collects what we understand of a body.
type reader struct {
	media map[uint64]media
	index uint64 // of the next part, depth first
	text  []string
	files []File
}

// readBody returns the text and the files of m's body, and whether there is
// anything of it that we understand.
func (m *Message) readBody() (text string, files []File, ok bool) {
	r := &reader{}
	if v := m.Extension(mediaKey); v != nil {
		if err := wire.Decode(v, &r.media); err != nil {
			r.media = nil // of a newer version: the files are there all the same
		}
	}
	ok = r.part(&m.Body)
	text = strings.Join(r.text, "\n\n")
	if utf8.RuneCountInString(text) > MaxText || len(r.files) > MaxFiles {
		return "", nil, false
	}
	return text, r.files, ok && (text != "" || len(r.files) > 0)
}

// part reads one part and reports whether it was understood.
func (r *reader) part(p *Part) bool {
	index := r.index
	r.index++
	switch {
	case p.Single != nil:
		if p.Disposition == Preview {
			return r.preview(p.Single)
		}
		text, ok := p.Single.text()
		if ok && text != "" {
			r.text = append(r.text, text)
		}
		return ok
	case p.External != nil:
		f, ok := readFile(p.External)
		if ok {
			r.describe(&f, index)
			r.files = append(r.files, f)
		}
		return ok
	case p.Multi != nil:
		return r.multi(p.Multi)
	}
	return true // an empty part among others says nothing
}

func (r *reader) multi(m *Multi) bool {
	understood := 0
	texts0, files0 := len(r.text), len(r.files)
	for i := range m.Parts {
		texts, files := len(r.text), len(r.files)
		ok := r.part(&m.Parts[i])
		if ok && m.Semantics == ChooseOne && understood > 0 {
			r.text, r.files = r.text[:texts], r.files[:files] // one was chosen already
		}
		if ok {
			understood++
		}
	}
	if m.Semantics == SingleUnit && understood < len(m.Parts) {
		r.text, r.files = r.text[:texts0], r.files[:files0]
		return false
	}
	return understood > 0
}

// preview gives the file before it its small picture.
func (r *reader) preview(s *Single) bool {
	if len(r.files) == 0 || !isPreviewType(s.Type) || len(s.Content) > MaxPreview {
		return false
	}
	f := &r.files[len(r.files)-1]
	if f.Preview == nil {
		f.Preview, f.PreviewType = s.Content, s.Type
	}
	return true
}

func (r *reader) describe(f *File, index uint64) {
	m, ok := r.media[index]
	if !ok || m.Width < 0 || m.Width > MaxPicture || m.Height < 0 || m.Height > MaxPicture || len(m.Thumb) > MaxThumb {
		return
	}
	f.Width, f.Height, f.Thumb = m.Width, m.Height, m.Thumb
}

// readFile returns e as a file, if it is one of ours.
func readFile(e *External) (f File, ok bool) {
	id, ok := strings.CutPrefix(e.URL, blobScheme)
	if !ok || f.Blob.UnmarshalText([]byte(id)) != nil || f.Blob.IsZero() {
		return f, false
	}
	key, err := seal.ParseKey(e.Key)
	if err != nil || e.EncAlg != encStream || len(e.Nonce) != 0 || len(e.AAD) != 0 {
		return f, false
	}
	if e.HashAlg != hashSHA256 || len(e.Hash) != len(f.Hash) || e.Size > maxSize {
		return f, false
	}
	f.Key, f.Size, f.Hash = key, int64(e.Size), wire.Hash(e.Hash)
	f.Type, f.Name = cleanType(e.Type), shorten(e.Filename)
	return f, true
}
