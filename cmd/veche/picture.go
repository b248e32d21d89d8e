package main

import (
	"image"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"

	"github.com/veche-im/veche/client/api"
)

// look fills in the media type of a file and the size of a picture.
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
	if c, _, err := image.DecodeConfig(file); err == nil {
		f.Width, f.Height = c.Width, c.Height
	}
	return nil
}
