// Package bill writes the bill of materials of this program: what it was built
// from, as CycloneDX 1.6 in JSON (ECMA-424). It holds nothing that differs from
// one build to the next, so equal programs have equal bills.
package bill

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"slices"
	"strings"
)

// PartsName is the file in which the web app's build lists its packages.
const PartsName = "parts.json"

// A Part is one npm package as the lock file has it.
type Part struct {
	Name      string `json:"name"`
	Version   string `json:"version"`
	License   string `json:"license"`   // SPDX expression
	Integrity string `json:"integrity"` // sha512-BASE64, of the package's archive
}

// ReadParts returns what the web app was built from, nothing if the program was
// built without it.
func ReadParts(app fs.FS) ([]Part, error) {
	b, err := fs.ReadFile(app, PartsName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []Part
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", PartsName, err)
	}
	return list, nil
}

// The parts of CycloneDX that are used.
type (
	document struct {
		Format     string      `json:"bomFormat"`
		Spec       string      `json:"specVersion"`
		Version    int         `json:"version"`
		Metadata   metadata    `json:"metadata"`
		Components []component `json:"components"`
	}
	metadata struct {
		Component component `json:"component"`
	}
	component struct {
		Type       string     `json:"type"`
		Ref        string     `json:"bom-ref"`
		Name       string     `json:"name"`
		Version    string     `json:"version"`
		Hashes     []hash     `json:"hashes,omitempty"`
		Licenses   []license  `json:"licenses,omitempty"`
		PURL       string     `json:"purl,omitempty"`
		Properties []property `json:"properties,omitempty"`
	}
	hash struct {
		Alg     string `json:"alg"`
		Content string `json:"content"`
	}
	license struct {
		Expression string `json:"expression"`
	}
	property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
)

// Make returns the bill of a program of the given version: its Go modules, Go's
// own library, and the packages of the web app.
func Make(version string, info *debug.BuildInfo, parts []Part) ([]byte, error) {
	if info.GoVersion == "" || len(info.Deps) == 0 {
		return nil, errors.New("the program does not say what it was built from")
	}
	self := component{Type: "application", Name: "veche", Version: version, PURL: "pkg:golang/" + info.Main.Path + "@" + version}
	self.Ref = self.PURL
	doc := document{Format: "CycloneDX", Spec: "1.6", Version: 1, Metadata: metadata{self}}
	for _, key := range []string{"GOOS", "GOARCH", "CGO_ENABLED"} {
		for _, s := range info.Settings {
			if s.Key == key {
				doc.Metadata.Component.Properties = append(doc.Metadata.Component.Properties, property{"veche:build:" + key, s.Value})
			}
		}
	}
	goVersion := strings.TrimPrefix(info.GoVersion, "go")
	doc.add(component{Type: "library", Name: "std", Version: goVersion, PURL: "pkg:golang/std@" + goVersion})
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		c := component{Type: "library", Name: m.Path, Version: m.Version, PURL: "pkg:golang/" + m.Path + "@" + m.Version}
		if m.Sum != "" { // of go.sum: a hash over the hashes of the module's files
			c.Properties = []property{{"veche:go:sum", m.Sum}}
		}
		doc.add(c)
	}
	for _, p := range parts {
		c, err := ofPart(p)
		if err != nil {
			return nil, err
		}
		doc.add(c)
	}
	slices.SortFunc(doc.Components, func(a, b component) int { return cmp.Compare(a.PURL, b.PURL) })
	b, err := json.MarshalIndent(doc, "", "  ")
	return append(b, '\n'), err
}

func (d *document) add(c component) {
	c.Ref = c.PURL
	d.Components = append(d.Components, c)
}

func ofPart(p Part) (component, error) {
	c := component{Type: "library", Name: p.Name, Version: p.Version, PURL: "pkg:npm/" + strings.Replace(p.Name, "@", "%40", 1) + "@" + p.Version}
	if p.License != "" {
		c.Licenses = []license{{p.License}}
	}
	sum, ok := strings.CutPrefix(p.Integrity, "sha512-")
	raw, err := base64.StdEncoding.DecodeString(sum)
	if !ok || err != nil || len(raw) != 64 {
		return c, fmt.Errorf("%s@%s: %q is no hash of a package", p.Name, p.Version, p.Integrity)
	}
	c.Hashes = []hash{{"SHA-512", hex.EncodeToString(raw)}}
	return c, nil
}
