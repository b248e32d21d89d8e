//go:build !js

package native

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/veche-im/veche/client/store"
)

// acquire takes the lock of a profile, waiting up to Wait for another process
// to let it go. The system lets go of it when the process ends, however it does.
func acquire(ctx context.Context, file string) (*os.File, error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the profile's lock: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, Wait)
	defer cancel()
	for {
		err := tryLock(f)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, errHeld) {
			return nil, errors.Join(fmt.Errorf("lock the profile: %w", err), f.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("%w: %s", store.ErrBusy, file), f.Close())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

var errHeld = errors.New("another process holds the lock")
