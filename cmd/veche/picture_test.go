package main

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/veche-im/veche/client/api"
)

func TestWhatIsSaidOfAFile(t *testing.T) {
	dir := t.TempDir()
	noise := image.NewNRGBA(image.Rect(0, 0, 1200, 300))
	r := rand.New(rand.NewPCG(1, 2))
	for i := range noise.Pix {
		noise.Pix[i] = byte(r.Uint32())
	}
	clear := image.NewNRGBA(image.Rect(0, 0, 2, 1)) // transparent
	var noisy, blank bytes.Buffer
	if err := png.Encode(&noisy, noise); err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(&blank, clear); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name          string
		content       []byte
		kind          string
		width, height int
		preview       bool
	}{
		{"noise.png", noisy.Bytes(), "image/png", 1200, 300, true},
		{"clear.png", blank.Bytes(), "image/png", 2, 1, true},
		{"cut.png", noisy.Bytes()[:2000], "image/png", 1200, 300, false},
		{"no.png", []byte("only says so"), "image/png", 0, 0, false},
		{"page.html", []byte("<html>"), "text/html; charset=utf-8", 0, 0, false},
		{"empty", nil, "text/plain; charset=utf-8", 0, 0, false},
		{"bytes", []byte{0, 1, 2}, "application/octet-stream", 0, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(dir, tt.name)
			if err := os.WriteFile(path, tt.content, 0o600); err != nil {
				t.Fatal(err)
			}
			var f api.OutgoingFile
			if err := look(path, &f); err != nil {
				t.Fatal(err)
			}
			if f.Type != tt.kind || f.Width != tt.width || f.Height != tt.height || (f.Preview != "") != tt.preview {
				t.Errorf("%s %d×%d, preview of %d", f.Type, f.Width, f.Height, len(f.Preview))
			}
			if !tt.preview {
				return
			}
			small, err := base64.StdEncoding.DecodeString(f.Preview)
			if err != nil || len(small) > mostPreview {
				t.Fatalf("a preview of %d bytes, %v", len(small), err)
			}
			p, err := jpeg.Decode(bytes.NewReader(small))
			if err != nil || max(p.Bounds().Dx(), p.Bounds().Dy()) > previewSide {
				t.Errorf("%v, %v", p.Bounds(), err)
			}
			if tt.name == "clear.png" {
				if c := color.GrayModel.Convert(p.At(0, 0)).(color.Gray); c.Y < 250 {
					t.Errorf("what was transparent is %v", c)
				}
			}
		})
	}
}
