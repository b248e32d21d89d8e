//go:build !linux

package doctor

import (
	"errors"
	"fmt"
	"os"
)

// freeSpace only sees whether the directory is there.
func freeSpace(dir string) (uint64, error) {
	if _, err := os.Stat(dir); err != nil {
		return 0, fmt.Errorf("the data directory: %w", err)
	}
	return 0, errors.ErrUnsupported
}

func clockKept() (bool, error) { return false, errors.ErrUnsupported }
