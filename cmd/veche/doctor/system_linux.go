package doctor

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// freeSpace is how many bytes this user may still write to the directory's disk.
func freeSpace(dir string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("the data directory %s: %w", dir, err)
	}
	return s.Bavail * uint64(s.Bsize), nil
}

// clockKept reports whether the kernel's clock is synchronised to another.
func clockKept() (bool, error) {
	const unsynchronised = 5 // TIME_ERROR of adjtimex(2)
	state, err := unix.Adjtimex(&unix.Timex{})
	return state != unsynchronised, err
}
