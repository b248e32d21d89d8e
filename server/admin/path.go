package admin

import (
	"fmt"
	"os"
	"path/filepath"
)

// maxPath is the longest path that every system takes for a socket.
const maxPath = 100

// short returns a path of the socket in dir that a socket address can hold. It
// is good until done is called.
func short(dir string) (path string, done func(), err error) {
	path = filepath.Join(dir, socketName)
	if len(path) <= maxPath {
		return path, func() {}, nil
	}
	// A long path is reached through an open directory.
	f, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	path = fmt.Sprintf("/proc/self/fd/%d/%s", f.Fd(), socketName)
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		f.Close()
		return "", nil, fmt.Errorf("the path of the data directory is too long for a socket: %s", dir)
	}
	return path, func() { f.Close() }, nil
}
