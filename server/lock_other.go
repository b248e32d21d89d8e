//go:build !unix

package server

import (
	"errors"
	"os"
)

// lockFile fails: a server needs a system on which a lock ends with its owner.
func lockFile(string) (*os.File, error) {
	return nil, errors.New("the server does not run on this system")
}
