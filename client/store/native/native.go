//go:build !js

// Package native opens a profile, a directory of one account on one device, with
// SQLite in this process. The directory is the person's alone (0700) and holds
//
//	veche.db  the database, with its -wal beside it while it is open
//	key       the store key, 32 bytes, 0600
//	lock      held by the process that has the profile open
//
// One process at a time has a profile open; others wait, since the command line
// runs several short ones. docs/spec/sealing.md#store-key.
package native

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/veche-im/veche/client/store"
)

// Wait is how long Open waits for another process to close the profile.
const Wait = 10 * time.Second

// Open opens the profile in dir and makes it if there is none. It is
// store.ErrBusy if another process still has it open after Wait, or when ctx
// ends first.
func Open(ctx context.Context, dir string) (*store.DB, error) {
	return OpenThrough(ctx, dir, func(c store.Conn) store.Conn { return c })
}

// OpenThrough is Open with every statement passing through what wrap makes of
// the connection: how tests pull the plug.
func OpenThrough(ctx context.Context, dir string, wrap func(store.Conn) store.Conn) (*store.DB, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the profile: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("keep the profile to its owner: %w", err)
	}
	lock, err := acquire(ctx, filepath.Join(dir, "lock"))
	if err != nil {
		return nil, err
	}
	db, err := open(ctx, dir, lock, wrap)
	if err != nil {
		return nil, fmt.Errorf("open the profile %s: %w", dir, err)
	}
	return db, nil
}

// open takes over lock, also when it fails.
func open(ctx context.Context, dir string, lock *os.File, wrap func(store.Conn) store.Conn) (*store.DB, error) {
	file := filepath.Join(dir, "veche.db")
	key, err := profileKey(dir, file)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	c, err := connect(ctx, file, lock)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return store.Open(ctx, wrap(c), key)
}

// profileKey reads the store key, or makes it where there is no database that
// would need another.
func profileKey(dir, database string) (store.Key, error) {
	file := filepath.Join(dir, "key")
	b, err := os.ReadFile(file)
	if err == nil {
		key, err := parseKey(b)
		if err != nil {
			return store.Key{}, fmt.Errorf("%w: %s is not a key", store.ErrDamaged, file)
		}
		return key, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return store.Key{}, fmt.Errorf("read the store key: %w", err)
	}
	if _, err := os.Stat(database); err == nil {
		return store.Key{}, fmt.Errorf("%w: %s is missing, and nothing else opens %s", store.ErrKey, file, database)
	}
	return makeKey(dir, file)
}

// Remove deletes a profile with everything in it. It must not be open.
func Remove(ctx context.Context, dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	lock, err := acquire(ctx, filepath.Join(dir, "lock"))
	if err != nil {
		return err
	}
	// The key goes first: without it nothing that is left can be opened.
	for _, name := range []string{"key", "veche.db", "veche.db-wal", "veche.db-shm", "veche.db-journal"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(err, lock.Close())
		}
	}
	return errors.Join(syncDir(dir), lock.Close())
}
