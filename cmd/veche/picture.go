package main

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	_ "image/gif"
	"image/jpeg"
	_ "image/png"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"

	"github.com/veche-im/veche/client/api"
)

const (
	mostPixels  = 50_000_000 // of a picture that is opened for its preview
	previewSide = 320        // pixels of a preview's longer side
	mostPreview = 12 << 10   // bytes of a preview; docs/spec/content.md
)

// look fills in the media type of a file and, for a picture, its size and a
// small preview, which others see while the file is on its way. The file itself
// is sent as it is.
func look(path string, f *api.OutgoingFile) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	head := make([]byte, 512)
	n, err := io.ReadFull(file, head)
	if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return err
	}
	f.Type = http.DetectContentType(head[:n])
	if byName := mime.TypeByExtension(filepath.Ext(path)); byName != "" && (f.Type == "application/octet-stream" || f.Type == "text/plain; charset=utf-8") {
		f.Type = byName
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	c, _, err := image.DecodeConfig(file)
	if err != nil {
		return nil // no picture, or none that is known here: it travels as any file
	}
	f.Width, f.Height = c.Width, c.Height
	if c.Width*c.Height > mostPixels {
		return nil
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if picture, _, err := image.Decode(file); err == nil {
		if p := preview(picture); p != nil {
			f.Preview, f.PrevType = base64.StdEncoding.EncodeToString(p), "image/jpeg"
		}
	}
	return nil
}

// preview returns a small JPEG of at most mostPreview bytes, or nil.
func preview(picture image.Image) []byte {
	small := shrink(picture, previewSide)
	for _, quality := range []int{75, 50, 30, 15} {
		var b bytes.Buffer
		if jpeg.Encode(&b, small, &jpeg.Options{Quality: quality}) == nil && b.Len() <= mostPreview {
			return b.Bytes()
		}
	}
	return nil
}

// shrink returns the picture with its longer side at most side, each pixel the
// mean of those it stands for, on white where it was transparent.
func shrink(from image.Image, side int) image.Image {
	in := from.Bounds()
	w, h := in.Dx(), in.Dy()
	if longer := max(w, h); longer > side {
		w, h = max(1, w*side/longer), max(1, h*side/longer)
	}
	to := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			area := image.Rect(in.Min.X+x*in.Dx()/w, in.Min.Y+y*in.Dy()/h, in.Min.X+(x+1)*in.Dx()/w, in.Min.Y+(y+1)*in.Dy()/h)
			to.Set(x, y, mean(from, area))
		}
	}
	return to
}

// mean returns the mean colour of an area, of at most 64 samples.
func mean(from image.Image, area image.Rectangle) color.Color {
	dx, dy := max(1, area.Dx()/8), max(1, area.Dy()/8)
	var r, g, b, n uint64
	for y := area.Min.Y; y < area.Max.Y; y += dy {
		for x := area.Min.X; x < area.Max.X; x += dx {
			cr, cg, cb, ca := from.At(x, y).RGBA()
			white := uint64(0xffff - ca) // colours are multiplied by their opacity already
			r, g, b, n = r+uint64(cr)+white, g+uint64(cg)+white, b+uint64(cb)+white, n+1
		}
	}
	if n == 0 {
		return color.White
	}
	return color.RGBA64{uint16(r / n), uint16(g / n), uint16(b / n), 0xffff}
}
