package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/veche-im/veche/server/backup"
)

func (s *Server) backup(ctx context.Context, w io.Writer, begin func(size int64)) (backup.Summary, error) {
	began := s.cfg.Now()
	sum, err := backup.Write(ctx, backup.Source{
		Dir: s.data.path, Site: s.URL(), Version: s.cfg.Version, Log: s.cfg.Log, Now: s.cfg.Now,
		Keep: s.blobs.Keep, Begin: begin,
	}, w)
	if err == nil {
		s.cfg.Log.Info("backed up", "files", sum.Files, "missing", sum.Missing, "took", s.cfg.Now().Sub(began))
	}
	return sum, err
}

// StoppedConfig names a site that does not run. Data is required.
type StoppedConfig struct {
	Data    string
	Version string
	Log     *slog.Logger
	Now     func() time.Time
}

func (c *StoppedConfig) check() error {
	full := Config{Data: c.Data, Version: c.Version, Log: c.Log, Now: c.Now}
	err := full.check()
	c.Version, c.Log, c.Now = full.Version, full.Log, full.Now
	return err
}

// Backup writes a site that does not run into w. Begin hears first about how many
// bytes that will be. A site of an older version stays as it is.
func Backup(ctx context.Context, c StoppedConfig, w io.Writer, begin func(size int64)) (sum backup.Summary, err error) {
	if err := c.check(); err != nil {
		return sum, err
	}
	d, err := openStopped(c.Data)
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	return backup.Write(ctx, backup.Source{Dir: d.path, Version: c.Version, Log: c.Log, Now: c.Now, Begin: begin}, w)
}

// Restore makes a site of a backup in c.Data, where there is none. A dry run
// verifies everything and leaves nothing.
func Restore(ctx context.Context, c StoppedConfig, archive io.Reader, dry bool) (backup.Report, error) {
	if err := c.check(); err != nil {
		return backup.Report{}, err
	}
	return backup.Restore(ctx, backup.Target{Archive: archive, Dir: c.Data, Schemas: schemas(), Log: c.Log, Now: c.Now, DryRun: dry})
}

// openStopped locks the directory of a site that must be there.
func openStopped(dir string) (*dataDir, error) {
	if _, err := os.Stat(filepath.Join(dir, dbName)); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no site in %s", dir)
	} else if err != nil {
		return nil, err
	}
	return openData(dir)
}
