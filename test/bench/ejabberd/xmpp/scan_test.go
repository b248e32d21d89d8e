package xmpp

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

const stream = "<?xml version='1.0'?><stream:stream id='1' xmlns:stream='http://etherx.jabber.org/streams' xmlns='jabber:client'>" +
	"<stream:features><bind xmlns='urn:b'/></stream:features> \n" +
	"<presence to='a>b' from=\"it's\"/>" +
	"<message id='m1'><body>one &lt; two</body><x/></message>" +
	"</stream:stream>"

func TestNextCutsWhereTheStanzasEnd(t *testing.T) {
	want := []string{
		"<stream:features><bind xmlns='urn:b'/></stream:features>",
		"<presence to='a>b' from=\"it's\"/>",
		"<message id='m1'><body>one &lt; two</body><x/></message>",
	}
	for name, r := range map[string]io.Reader{
		"at once":      strings.NewReader(stream),
		"byte by byte": iotest.OneByteReader(strings.NewReader(stream)),
	} {
		t.Run(name, func(t *testing.T) {
			s := NewScanner(r, 8)
			if h, err := s.Header(); err != nil || string(Attr(h, "id")) != "1" || string(Name(h)) != "stream:stream" {
				t.Fatalf("header is %q, %v", h, err)
			}
			for _, w := range want {
				got, err := s.Next()
				if err != nil || string(got) != w {
					t.Fatalf("got %q, %v; want %q", got, err, w)
				}
			}
			if got, err := s.Next(); err != io.EOF {
				t.Fatalf("after the stream's end: %q, %v; want io.EOF", got, err)
			}
		})
	}
}

func TestNextRefusesWhatXMPPForbids(t *testing.T) {
	for name, tt := range map[string]struct {
		after string
		want  error
	}{
		"a comment":              {"<a><!-- b --></a>", ErrMalformed},
		"an instruction":         {"<?php x?>", ErrMalformed},
		"text between":           {"x<a/>", ErrMalformed},
		"a tag within a tag":     {"<a <b/>", ErrMalformed},
		"an end within a stanza": {"<a><b></b>", io.ErrUnexpectedEOF},
		"an end between":         {"", io.ErrUnexpectedEOF},
		"no end in sight":        {"<a>" + strings.Repeat("x", maxStanza), ErrTooLong},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewScanner(strings.NewReader("<s>"+tt.after), 64)
			if _, err := s.Header(); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Next(); !errors.Is(err, tt.want) {
				t.Fatalf("got %.40q, %v; want %v", got, err, tt.want)
			}
		})
	}
}

func TestAttrFindsTheNamedOneOfTheFirstTag(t *testing.T) {
	b := []byte("<message xml:id='no' id=\"a>'b\" to='' from = 'c'><x type='inner'/></message>")
	for name, want := range map[string]string{"id": "a>'b", "to": "", "from": "", "type": "", "xml:id": "no"} {
		if got := Attr(b, name); string(got) != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// FuzzScanner holds the Scanner against encoding/xml: what the Scanner cuts out
// of a well-formed stream is what the decoder finds there.
func FuzzScanner(f *testing.F) {
	f.Add([]byte(stream))
	f.Add([]byte("<s><a b='>'/><c>d</c></s>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := NewScanner(bytes.NewReader(b), 16)
		if _, err := s.Header(); err != nil {
			return
		}
		var cut []string
		for {
			one, err := s.Next()
			if err != nil {
				if err != io.EOF {
					return
				}
				break
			}
			_ = Attr(one, "id")
			cut = append(cut, string(one))
		}
		d := xml.NewDecoder(bytes.NewReader(b))
		var found []string
		depth, from := 0, int64(0)
		for {
			before := d.InputOffset()
			tok, err := d.RawToken()
			if err != nil {
				return // the Scanner does not check what it skips
			}
			switch tok.(type) {
			case xml.StartElement:
				if depth++; depth == 2 {
					from = before
				}
			case xml.EndElement:
				if depth--; depth == 1 {
					found = append(found, string(b[from:d.InputOffset()]))
				}
			case xml.Comment, xml.Directive, xml.ProcInst:
				if depth > 0 {
					t.Fatalf("the Scanner let a %T pass", tok)
				}
			}
			if depth == 0 && len(found) == len(cut) {
				break
			}
			if depth == 0 && before > 0 {
				return
			}
		}
		for i := range cut {
			if cut[i] != found[i] {
				t.Fatalf("stanza %d is %q, the decoder says %q", i, cut[i], found[i])
			}
		}
	})
}
