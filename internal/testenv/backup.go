package testenv

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/veche-im/veche/server"
	"github.com/veche-im/veche/server/admin"
)

// Backup backs the running site up as veche backup does, and returns the file.
func (s *Site) Backup() (file string) {
	s.TB.Helper()
	file = filepath.Join(s.TB.TempDir(), "backup")
	f, err := os.Create(file)
	if err != nil {
		s.TB.Fatal(err)
	}
	defer f.Close()
	if _, err := admin.Backup(context.Background(), s.Dir, f, func(int64) {}); err != nil {
		s.TB.Fatalf("back up: %v", err)
	}
	return file
}

// Restore stops the site, makes it anew of a backup as veche restore does, and
// starts it. Its addresses change.
func (s *Site) Restore(file string) {
	s.TB.Helper()
	s.Stop()
	if err := os.RemoveAll(s.Dir); err != nil {
		s.TB.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		s.TB.Fatal(err)
	}
	defer f.Close()
	c := server.StoppedConfig{Data: s.Dir, Version: s.cfg.Version, Log: slog.New(slog.DiscardHandler), Now: s.cfg.Now}
	if _, err := server.Restore(context.Background(), c, f, false); err != nil {
		s.TB.Fatalf("restore: %v", err)
	}
	s.start()
}
