package main

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"runtime/debug"

	"github.com/veche-im/veche/cmd/veche/bill"
	"github.com/veche-im/veche/web"
	"github.com/veche-im/veche/web/sums"
)

type versionCmd struct {
	SBOM  bool `name:"sbom" xor:"what" help:"Show what this program is built from, as CycloneDX in JSON."`
	Files bool `xor:"what" help:"Show the files of the web app with their SHA-256, as sha256sum does."`
}

// Run tells what this binary is.
func (c versionCmd) Run(t *term) error {
	switch {
	case c.SBOM:
		info, ok := debug.ReadBuildInfo()
		if !ok {
			return errors.New("this program does not know what it was built from: build it with modules")
		}
		parts, err := bill.ReadParts(web.Dist)
		if err != nil {
			return err
		}
		b, err := bill.Make(version, info, parts)
		if err != nil {
			return err
		}
		_, err = t.out.Write(b)
		return err
	case c.Files:
		list, err := fs.ReadFile(web.Dist, sums.ListName)
		if err != nil {
			return sums.ErrUnsigned
		}
		_, err = t.out.Write(list)
		return err
	}
	by := "none"
	if _, err := fs.Stat(web.Dist, "index.html"); err == nil {
		s, err := sums.Verify(web.Dist, sums.Trusted())
		if err != nil {
			return err
		}
		by = "signed by " + s.Name
	}
	_, err := fmt.Fprintf(t.out, "veche %s\n%s %s/%s\nweb app: %s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH, by)
	return err
}
