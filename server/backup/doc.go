// Package backup writes a site into one file and makes a site out of such a file.
// docs/spec/restore.md says what is in it.
//
// Write reads one moment of the database beside whoever writes to it, and copies
// it page by page: it needs no space on the server's disk but for what is written
// meanwhile, and memory that does not grow with the site. An archive is whole when
// its last entry, the sums, is there.
//
// Restore believes nothing of a file: names, sizes and order are a closed list,
// the tables must be those that Veche makes, every sum, every page and every
// room's log is held against what it must be. Only then a directory appears, in
// one rename. Whatever fails, nothing is left behind.
package backup

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/veche-im/veche/server/blob"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// Format is the number of the archive's form.
const Format = 1

// The names in an archive, which are those in a data directory but for the first
// and the last.
const (
	manifestName = "veche-backup.json"
	dbName       = "veche.db"
	tlsName      = "tls"
	blobsName    = "blobs"
	sumsName     = "sums"
)

// The caps on what is read whole, in bytes, and on files of certificates.
const (
	maxManifest = 64 << 10
	maxTLS      = 1 << 20
	maxTLSFiles = 64
)

// ErrArchive is in the chain of the error for a file that is no whole backup.
var ErrArchive = errors.New("this is not a whole backup")

// Manifest is the first entry.
type Manifest struct {
	Format  int                   `json:"format"`
	Version string                `json:"version"` // of the Veche that wrote it
	Site    string                `json:"site,omitempty"`
	Life    wire.LifeID           `json:"life"`
	Time    wire.Millis           `json:"time"`
	Schemas map[string]db.Version `json:"schemas"`
}

func parseManifest(b []byte) (m Manifest, err error) {
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("%w: its first entry cannot be read: %w", ErrArchive, err)
	}
	if m.Format != Format {
		return m, fmt.Errorf("%w of a form that this version reads: it is %d, this version knows %d", ErrArchive, m.Format, Format)
	}
	return m, nil
}

// tlsFile returns the name of a file of certificates below its folder; ok is
// false for any other name.
func tlsFile(name string) (file string, ok bool) {
	file, ok = strings.CutPrefix(name, tlsName+"/")
	if !ok || file == "" || len(file) > 64 || file[0] == '.' {
		return "", false
	}
	return file, !strings.ContainsFunc(file, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '-' && r != '_'
	})
}

// blobFile returns the blob of a name; ok is false for any other name.
func blobFile(name string) (id wire.BlobID, ok bool) {
	if id.UnmarshalText([]byte(path.Base(name))) != nil {
		return wire.BlobID{}, false
	}
	return id, name == blobEntry(id)
}

func blobEntry(id wire.BlobID) string { return path.Join(blobsName, blob.Path(id)) }
