package content

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/veche-im/veche/e2ee/seal"
	"github.com/veche-im/veche/wire"
)

// vectors returns the draft's examples by name, and skips loudly without them.
func vectors(t *testing.T) map[string][]byte {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "vectors", "mimi")
	names, err := filepath.Glob(filepath.Join(dir, "*.cbor"))
	if err != nil || len(names) == 0 {
		t.Skipf("THE DRAFT'S EXAMPLES ARE MISSING: nothing in %s", dir)
	}
	found := map[string][]byte{}
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		found[strings.TrimSuffix(filepath.Base(n), ".cbor")] = b
	}
	return found
}

// derived is what a receiver knows besides the content, implied.cddl.
type derived struct {
	_      struct{} `cbor:",toarray"`
	ID     []byte
	Time   uint64
	Group  []byte
	Leaf   uint32
	Client string
	User   string
	Room   string
}

func TestTheDraftsExamples(t *testing.T) {
	all := vectors(t)
	const implied = "implied-original"
	var d derived
	if err := wire.Decode(all[implied], &d); err != nil {
		t.Fatal(err)
	}
	if again, err := wire.Encode(d); err != nil || !bytes.Equal(again, all[implied]) {
		t.Errorf("%s: not the same bytes: %v", implied, err)
	}
	if len(all) != 15 {
		t.Errorf("%d examples, want 15", len(all))
	}
	said := regexp.MustCompile(`message ID = h'([0-9a-f \n#]*)'`)
	for name, b := range all {
		if name == implied {
			continue
		}
		t.Run(name, func(t *testing.T) {
			m, err := Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			again, err := m.Encode()
			if err != nil || !bytes.Equal(again, b) {
				t.Fatalf("not the same bytes: %v\n%x\n%x", err, again, b)
			}
			text, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "vectors", "mimi", name+".edn"))
			if err != nil {
				t.Fatal(err)
			}
			found := said.FindSubmatch(text)
			if found == nil {
				t.Fatal("no message id in the example")
			}
			want, err := hex.DecodeString(strings.NewReplacer(" ", "", "\n", "", "#", "").Replace(string(found[1])))
			if err != nil {
				t.Fatal(err)
			}
			var sender, room string
			for _, e := range m.Extensions {
				switch e.Number {
				case 1:
					err = wire.Decode(e.Value, &sender)
				case 2:
					err = wire.Decode(e.Value, &room)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if got := MessageID(sender, room, b, m.Salt); !bytes.Equal(got[:], want) {
				t.Errorf("message id %x, want %x", got, want)
			}
		})
	}
	// The id in implied-original.cbor is that of an earlier draft's example; its
	// .edn, like original.edn, has today's. What the id is made from is the same.
	original, err := Decode(all["original"])
	if err != nil {
		t.Fatal(err)
	}
	id := MessageID(d.User, d.Room, all["original"], original.Salt)
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "vectors", "mimi", implied+".edn"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(strings.Fields(string(text)), ""); !strings.Contains(got, hex.EncodeToString(id[:])) {
		t.Errorf("id of the original: %x", id)
	}
}

func TestWhatTheDraftsExamplesMean(t *testing.T) {
	all := vectors(t)
	for name, want := range map[string]Kind{
		"original": KindText, "reply": KindText, "mention": KindText, "expiring": KindText, "multipart-1": KindText,
		"edit": KindEdit, "delete": KindDelete, "unlike": KindDelete, "reaction": KindReaction,
		"attachment": KindUnknown, "conferencing": KindUnknown, "mention-html": KindUnknown, "multipart-3": KindUnknown,
	} {
		v, _, err := Read(all[name])
		if err != nil || v.Kind != want {
			t.Errorf("%s is %q, want %q (%v)", name, v.Kind, want, err)
		}
	}
}

func file(n byte) File {
	key, _ := seal.ParseKey(bytes.Repeat([]byte{n}, seal.KeySize))
	return File{Blob: wire.BlobID{n}, Key: key, Size: int64(n) * 1000, Hash: wire.Hash{n, 1}, Name: "report.pdf", Type: "application/pdf"}
}

func photo(n byte) File {
	f := file(n)
	f.Name, f.Type, f.Width, f.Height = "photo.jpg", "image/jpeg", 1920, 1080
	f.Thumb, f.Preview, f.PreviewType = []byte{1, 2, n}, bytes.Repeat([]byte{n}, 300), "image/webp"
	return f
}

func same(a, b File) bool {
	return a.Blob == b.Blob && a.Key.Equal(b.Key) && a.Size == b.Size && a.Hash == b.Hash && a.Name == b.Name && a.Type == b.Type &&
		a.Width == b.Width && a.Height == b.Height && bytes.Equal(a.Thumb, b.Thumb) && bytes.Equal(a.Preview, b.Preview) &&
		a.PreviewType == b.PreviewType
}

func TestWhatWeWriteWeRead(t *testing.T) {
	earlier, other := ID{1, 2}, ID{1, 3}
	for _, tt := range []struct {
		name string
		make func() (Made, error)
		want View
	}{
		{"text", func() (Made, error) { return NewText("Hi *there*", nil, nil) }, View{Kind: KindText, Text: "Hi *there*"}},
		{"a reply", func() (Made, error) { return NewText("Yes", nil, &earlier) }, View{Kind: KindText, Text: "Yes", InReplyTo: &earlier}},
		{"one file", func() (Made, error) { return NewText("", []File{file(1)}, nil) }, View{Kind: KindText, Files: []File{file(1)}}},
		{"one photo", func() (Made, error) { return NewText(" ", []File{photo(1)}, nil) }, View{Kind: KindText, Files: []File{photo(1)}}},
		{"one photo without a preview", func() (Made, error) {
			p := photo(1)
			p.Preview, p.PreviewType = nil, ""
			return NewText("", []File{p}, nil)
		}, View{Kind: KindText, Files: []File{func() File { p := photo(1); p.Preview, p.PreviewType = nil, ""; return p }()}}},
		{"text and files", func() (Made, error) { return NewText("See", []File{file(1), photo(2), file(3), photo(4)}, nil) },
			View{Kind: KindText, Text: "See", Files: []File{file(1), photo(2), file(3), photo(4)}}},
		{"an edit", func() (Made, error) { return NewEdit(earlier, "Better", []File{photo(5)}, &other) },
			View{Kind: KindEdit, Text: "Better", Files: []File{photo(5)}, Replaces: &earlier, InReplyTo: &other}},
		{"a deletion", func() (Made, error) { return NewDelete(earlier, nil) }, View{Kind: KindDelete, Replaces: &earlier}},
		{"a reaction", func() (Made, error) { return NewReaction(earlier, "👩🏽‍⚕️", nil) },
			View{Kind: KindReaction, Text: "👩🏽‍⚕️", InReplyTo: &earlier}},
		{"a reaction taken back", func() (Made, error) { return NewUnreaction(earlier, other) },
			View{Kind: KindDelete, InReplyTo: &earlier, Replaces: &other}},
		{"a name", func() (Made, error) { return NewName("Совет 7") }, View{Kind: KindName, Text: "Совет 7"}},
		{"a question for the name", NewAsk, View{Kind: KindAsk}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			made, err := tt.make()
			if err != nil {
				t.Fatal(err)
			}
			v, m, err := Read(made.Content)
			if err != nil {
				t.Fatal(err)
			}
			if v.Kind != tt.want.Kind || v.Text != tt.want.Text || !slices.EqualFunc(v.Files, tt.want.Files, same) ||
				!sameID(v.InReplyTo, tt.want.InReplyTo) || !sameID(v.Replaces, tt.want.Replaces) {
				t.Fatalf("read as %+v", v)
			}
			again, err := m.Encode()
			if err != nil || !bytes.Equal(again, made.Content) {
				t.Fatalf("other bytes: %v", err)
			}
			twin, err := tt.make()
			if err != nil || bytes.Equal(twin.Content, made.Content) {
				t.Fatal("two messages with one salt")
			}
		})
	}
}

func sameID(a, b *ID) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }

func TestWhatWeDoNotWrite(t *testing.T) {
	big := file(1)
	big.Preview, big.PreviewType = make([]byte, MaxPreview+1), "image/webp"
	html := photo(1)
	html.PreviewType = "image/svg+xml"
	wide := photo(1)
	wide.Width = MaxPicture + 1
	for name, tt := range map[string]struct {
		make func() (Made, error)
		want error
	}{
		"nothing":             {func() (Made, error) { return NewText("  \n", nil, nil) }, ErrEmpty},
		"too much text":       {func() (Made, error) { return NewText(strings.Repeat("ж", MaxText+1), nil, nil) }, ErrTooLarge},
		"text not in UTF-8":   {func() (Made, error) { return NewText("a\xff", nil, nil) }, ErrMalformed},
		"too many files":      {func() (Made, error) { return NewText("", make([]File, MaxFiles+1), nil) }, ErrTooLarge},
		"a file without key":  {func() (Made, error) { return NewText("", []File{{Blob: wire.BlobID{1}}}, nil) }, ErrMalformed},
		"a large preview":     {func() (Made, error) { return NewText("", []File{big}, nil) }, ErrTooLarge},
		"a preview in SVG":    {func() (Made, error) { return NewText("", []File{html}, nil) }, ErrMalformed},
		"a picture too wide":  {func() (Made, error) { return NewText("", []File{wide}, nil) }, ErrMalformed},
		"an empty reaction":   {func() (Made, error) { return NewReaction(ID{}, "", nil) }, ErrMalformed},
		"a long reaction":     {func() (Made, error) { return NewReaction(ID{}, strings.Repeat("x", MaxReaction+1), nil) }, ErrMalformed},
		"no name":             {func() (Made, error) { return NewName("") }, ErrMalformed},
		"a name with spaces":  {func() (Made, error) { return NewName(" a") }, ErrMalformed},
		"a name with a line":  {func() (Made, error) { return NewName("a\nb") }, ErrMalformed},
		"a name turned round": {func() (Made, error) { return NewName("a\u202eb") }, ErrMalformed},
		"a long name":         {func() (Made, error) { return NewName(strings.Repeat("x", MaxRoomName+1)) }, ErrMalformed},
	} {
		if _, err := tt.make(); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheLongestMessageFits(t *testing.T) {
	files := make([]File, MaxFiles)
	for i := range files {
		files[i] = photo(byte(i + 1))
		files[i].Name = strings.Repeat("ю", 200) + ".jpeg"
		files[i].Thumb = make([]byte, MaxThumb)
		files[i].Preview = make([]byte, MaxPreview)
	}
	made, err := NewText(strings.Repeat("😀", MaxText), files, nil)
	if err != nil {
		t.Fatal(err)
	}
	v, _, err := Read(made.Content)
	if err != nil || v.Kind != KindText || len(v.Files) != MaxFiles {
		t.Fatalf("%v, %s with %d files", err, v.Kind, len(v.Files))
	}
	with := 0
	for i, f := range v.Files {
		if f.Blob != files[i].Blob || f.Width != 1920 || len(f.Thumb) != MaxThumb || len(f.Name) > MaxFileName || !strings.HasSuffix(f.Name, ".jpeg") {
			t.Errorf("file %d came back as %+v", i, f)
		}
		if f.Preview != nil {
			if with++; i >= with {
				t.Error("an earlier preview was left out")
			}
		}
	}
	if with == 0 || with == MaxFiles {
		t.Errorf("%d previews", with)
	}
}

// bent encodes m after a change to its fields as an array.
func bent(t *testing.T, b []byte, change func(f []any)) []byte {
	t.Helper()
	var f []any
	if err := wire.Decode(b, &f); err != nil {
		t.Fatal(err)
	}
	change(f)
	out, err := wire.Encode(f)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestMalformedContent(t *testing.T) {
	made, err := NewText("hello", []File{photo(1)}, &ID{1})
	if err != nil {
		t.Fatal(err)
	}
	b := made.Content
	body := func(f []any) []any { return f[6].([]any) }
	ext := func(v any) func([]any) { return func(f []any) { f[5] = v } }
	deep := any([]any{1, "", 0})
	for range maxDepth {
		deep = []any{1, "", 3, 2, []any{deep, []any{1, "", 0}}}
	}
	wide := make([]any, maxParts)
	for i := range wide {
		wide[i] = []any{1, "", 0}
	}
	many := map[any]any{}
	for i := range maxExtensions + 1 {
		many[100+i] = 1
	}
	for name, bad := range map[string][]byte{
		"empty":                  nil,
		"null":                   {0xf6},
		"a map":                  {0xa0},
		"cut":                    b[:len(b)-1],
		"a byte more":            append(slices.Clone(b), 0),
		"too long":               make([]byte, MaxContent+1),
		"six fields":             bent(t, b, func([]any) {})[:1],
		"short salt":             bent(t, b, func(f []any) { f[0] = make([]byte, 15) }),
		"no salt":                bent(t, b, func(f []any) { f[0] = nil }),
		"short id":               bent(t, b, func(f []any) { f[4] = make([]byte, 31) }),
		"text as id":             bent(t, b, func(f []any) { f[1] = "x" }),
		"null topic":             bent(t, b, func(f []any) { f[2] = nil }),
		"a topic of numbers":     bent(t, b, func(f []any) { f[2] = []int{1, 2} }),
		"expiry of one":          bent(t, b, func(f []any) { f[3] = []any{true} }),
		"expiry over 32 bits":    bent(t, b, func(f []any) { f[3] = []any{true, uint64(1) << 32} }),
		"null extensions":        bent(t, b, ext(nil)),
		"extensions in an array": bent(t, b, ext([]any{})),
		"an extension by a bool": bent(t, b, ext(map[any]any{true: 1})),
		"a nameless extension":   bent(t, b, ext(map[any]any{"": 1})),
		"a large extension":      bent(t, b, ext(map[any]any{"x": make([]byte, maxExtension)})),
		"many extensions":        bent(t, b, ext(many)),
		"no body":                bent(t, b, func(f []any) { f[6] = nil }),
		"a body of two":          bent(t, b, func(f []any) { f[6] = []any{1, ""} }),
		"another cardinality":    bent(t, b, func(f []any) { f[6] = []any{1, "", 4} }),
		"a null part with more":  bent(t, b, func(f []any) { f[6] = []any{1, "", 0, 1} }),
		"disposition over 255":   bent(t, b, func(f []any) { body(f)[0] = 256 }),
		"other semantics":        bent(t, b, func(f []any) { body(f)[3] = 3 }),
		"one part of many":       bent(t, b, func(f []any) { body(f)[4] = body(f)[4].([]any)[:1] }),
		"parts too deep":         bent(t, b, func(f []any) { f[6] = deep }),
		"too many parts":         bent(t, b, func(f []any) { f[6] = []any{1, "", 3, 2, wide} }),
		"text as bytes":          bent(t, b, func(f []any) { f[6] = []any{1, "", 1, "text/plain", "x"} }),
		"bytes as a type":        bent(t, b, func(f []any) { f[6] = []any{1, "", 1, []byte("text/plain"), []byte("x")} }),
		"an external of too many": bent(t, b, func(f []any) {
			f[6] = []any{6, "", 2, "", "", 0, 0, 0, []byte{}, []byte{}, []byte{}, 0, []byte{}, "", "", 1}
		}),
		"size below zero": bent(t, b, func(f []any) {
			f[6] = []any{6, "", 2, "", "", 0, -1, 0, []byte{}, []byte{}, []byte{}, 0, []byte{}, "", ""}
		}),
		"a longer integer": bytes.Replace(b, []byte{0x87, 0x50}, []byte{0x98, 0x07, 0x50}, 1),
		"an odd extension": bytes.Replace(bent(t, b, ext(map[any]any{"xy": 1})), []byte{0x62, 'x', 'y', 1}, []byte{0x62, 'x', 'y', 0x18, 1}, 1),
	} {
		if _, err := Decode(bad); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnknownThingsAreKeptAndNotShown(t *testing.T) {
	made, err := NewText("hello", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	single := func(kind string, content []byte) func([]any) {
		return func(f []any) { f[6] = []any{1, "", 1, kind, content} }
	}
	external := func(change func(f []any)) func([]any) {
		return func(f []any) {
			e := []any{6, "", 2, "image/png", blobScheme + (wire.BlobID{1}).String(), 0, 5, encStream, make([]byte, 32), []byte{}, []byte{}, 1, make([]byte, 32), "", "x"}
			change(e)
			f[6] = e
		}
	}
	room := func(v any) []byte { b, _ := wire.Encode(v); return b }
	for name, tt := range map[string]struct {
		change func([]any)
		want   Kind
	}{
		"as it is":                   {func([]any) {}, KindText},
		"an unknown extension":       {func(f []any) { f[5] = map[any]any{-5: []any{1, map[string]any{"x": 1.5}}} }, KindText},
		"another disposition":        {func(f []any) { f[6].([]any)[0] = 77 }, KindText},
		"plain text":                 {single("Text/Plain; charset=UTF-8", []byte("x")), KindText},
		"plain text in another set":  {single("text/plain;charset=koi8-r", []byte("x")), KindUnknown},
		"HTML":                       {single("text/html", []byte("<b>x</b>")), KindUnknown},
		"no type":                    {single("", []byte("x")), KindUnknown},
		"text that is not UTF-8":     {single(plainType, []byte{0xff}), KindUnknown},
		"text over our cap":          {single(plainType, bytes.Repeat([]byte("x"), MaxText+1)), KindUnknown},
		"no text":                    {single(plainType, []byte{}), KindUnknown},
		"null without replacing":     {func(f []any) { f[6] = []any{1, "", 0} }, KindUnknown},
		"a reaction to nothing":      {func(f []any) { f[6].([]any)[0] = 2 }, KindUnknown},
		"a file":                     {external(func([]any) {}), KindText},
		"a file elsewhere":           {external(func(f []any) { f[4] = "https://example.com/x" }), KindUnknown},
		"a file without id":          {external(func(f []any) { f[4] = blobScheme }), KindUnknown},
		"a file with the zero id":    {external(func(f []any) { f[4] = blobScheme + (wire.BlobID{}).String() }), KindUnknown},
		"a file in clear":            {external(func(f []any) { f[7] = 0 }), KindUnknown},
		"a file with a short key":    {external(func(f []any) { f[8] = make([]byte, 16) }), KindUnknown},
		"a file with a nonce":        {external(func(f []any) { f[9] = make([]byte, 12) }), KindUnknown},
		"a file without a hash":      {external(func(f []any) { f[11], f[12] = 0, []byte{} }), KindUnknown},
		"a file of impossible size":  {external(func(f []any) { f[6] = uint64(1) << 63 }), KindUnknown},
		"a room's name":              {single(roomType, room(map[string]any{"v": 1, "name": "x"})), KindName},
		"a name that nobody may set": {single(roomType, room(map[string]any{"v": 1, "name": "x\u202e"})), KindUnknown},
		"room state of a newer kind": {single(roomType, room(map[string]any{"v": 2, "name": "x"})), KindUnknown},
		"room state with more":       {single(roomType, room(map[string]any{"v": 1, "name": "x", "topic": "y"})), KindUnknown},
		"a name and a question":      {single(roomType, room(map[string]any{"v": 1, "name": "x", "ask": true})), KindUnknown},
		"a name that replaces": {func(f []any) {
			f[1] = make([]byte, 32)
			single(roomType, room(map[string]any{"v": 1, "name": "x"}))(f)
		}, KindUnknown},
	} {
		b := bent(t, made.Content, tt.change)
		v, m, err := Read(b)
		if err != nil || v.Kind != tt.want {
			t.Errorf("%s: %q, %v; want %q", name, v.Kind, err, tt.want)
			continue
		}
		if again, err := m.Encode(); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%s: was not kept as it came: %v", name, err)
		}
	}
}

func TestPartsThatBelongTogether(t *testing.T) {
	made, err := NewText("hello", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	text := func(s string) []any { return []any{1, "", 1, plainType, []byte(s)} }
	odd := []any{1, "", 1, "application/x-odd", []byte("x")}
	for name, tt := range map[string]struct {
		semantics int
		parts     []any
		want      string
		kind      Kind
	}{
		"all that we know":        {2, []any{text("a"), odd, text("b")}, "a\n\nb", KindText},
		"nothing that we know":    {2, []any{odd, odd}, "", KindUnknown},
		"the first that we know":  {0, []any{odd, text("a"), text("b")}, "a", KindText},
		"all as one":              {1, []any{text("a"), text("b")}, "a\n\nb", KindText},
		"one unknown spoils all":  {1, []any{text("a"), odd}, "", KindUnknown},
		"a spoilt unit among all": {2, []any{text("a"), []any{1, "", 3, 1, []any{text("b"), odd}}}, "a", KindText},
	} {
		v, _, err := Read(bent(t, made.Content, func(f []any) { f[6] = []any{1, "", 3, tt.semantics, tt.parts} }))
		if err != nil || v.Text != tt.want || v.Kind != tt.kind {
			t.Errorf("%s: %q %q %v", name, v.Kind, v.Text, err)
		}
	}
}

func TestSafeName(t *testing.T) {
	long := strings.Repeat("ж", 200)
	for name, want := range map[string]string{
		"report.pdf":            "report.pdf",
		"Отчёт за год.docx":     "Отчёт за год.docx",
		"семья 👨‍👩‍👧.jpg":       "семья 👨‍👩‍👧.jpg",
		"../../etc/passwd":      "_._.._etc_passwd",
		`..\..\boot.ini`:        "_._.._boot.ini",
		"a/b":                   "a_b",
		"a\x00b\nc":             "a_b_c",
		"exe\u202egpj.exe":      "exe_gpj.exe",
		"a\u2066b\u200fc\ufeff": "a_b_c_",
		"a\u2028b":              "a_b",
		".bashrc":               "_bashrc",
		"..":                    "file",
		"":                      "file",
		"  ":                    "file",
		"name. . .":             "name",
		"con":                   "_con",
		"COM1.txt":              "_COM1.txt",
		"nul .txt":              "_nul .txt",
		"console.log":           "console.log",
		"C:evil":                "C_evil",
		"a\xffb":                "a_b",
		long + ".jpeg":          strings.Repeat("ж", 125) + ".jpeg",
		long:                    strings.Repeat("ж", 127),
	} {
		if got := SafeName(name); got != want {
			t.Errorf("SafeName(%q) = %q, want %q", name, got, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, make := range []func() (Made, error){
		func() (Made, error) { return NewText("x", []File{photo(1), file(2)}, &ID{1}) },
		func() (Made, error) { return NewDelete(ID{1}, nil) },
		func() (Made, error) { return NewReaction(ID{1}, "x", nil) },
		func() (Made, error) { return NewName("x") },
	} {
		if made, err := make(); err == nil {
			f.Add(made.Content)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, m, err := Read(b)
		if err != nil {
			return
		}
		again, err := m.Encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("two spellings: %v", err)
		}
		if len(v.Files) > MaxFiles || len([]rune(v.Text)) > MaxText {
			t.Fatal("over the caps")
		}
		_ = Parse(v.Text)
	})
}

func FuzzSafeName(f *testing.F) {
	f.Add("a/b.txt")
	f.Fuzz(func(t *testing.T, s string) {
		n := SafeName(s)
		if n == "" || n == "." || n == ".." || len(n) > MaxFileName || strings.ContainsAny(n, "/\\\x00\n") || SafeName(n) != n {
			t.Fatalf("%q became %q", s, n)
		}
	})
}
