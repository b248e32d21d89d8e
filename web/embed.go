// Package web holds the built web app, for the server to serve. The folder dist
// is made by `npm run build`; before that it is empty and the server says so.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var files embed.FS

// Dist is the folder dist: index.html, assets/ with hashed names (which may be
// kept for ever), emoji/, and beside most files NAME.br and NAME.gz.
var Dist = sub(files, "dist")

func sub(f fs.FS, dir string) fs.FS {
	d, err := fs.Sub(f, dir)
	if err != nil {
		panic(err) // dir is a constant of this file
	}
	return d
}
