//go:build !js

package native

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/e2ee/seal"
)

func parseKey(b []byte) (store.Key, error) { return seal.ParseKey(b) }

// makeKey writes a new key. It is on disk under another name first, so that no
// crash leaves half a key under the right one, and no database exists yet that
// a lost key would close.
func makeKey(dir, file string) (store.Key, error) {
	key := seal.NewKey()
	temp := file + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return store.Key{}, fmt.Errorf("clear a half-written key: %w", err)
	}
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return store.Key{}, fmt.Errorf("make the store key: %w", err)
	}
	_, err = f.Write(key.Bytes())
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return store.Key{}, fmt.Errorf("write the store key: %w", err)
	}
	if err := os.Rename(temp, file); err != nil {
		return store.Key{}, fmt.Errorf("name the store key: %w", err)
	}
	if err := syncDir(filepath.Dir(file)); err != nil {
		return store.Key{}, fmt.Errorf("sync %s: %w", dir, err)
	}
	return key, nil
}

// syncDir makes names in dir durable. Windows has no such thing to ask for.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
