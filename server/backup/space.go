package backup

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/veche-im/veche/server/db"
)

// ErrNoSpace is in the chain of the error where the disk is full.
var ErrNoSpace = errors.New("the disk is full; nothing is left behind")

// noSpace adds ErrNoSpace to what comes of a full disk.
func noSpace(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, db.ErrNoSpace) {
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	}
	return err
}
