//go:build unix

package group

import (
	"syscall"
	"time"
)

// cpuTime is what this process has had of all cores so far. Unlike the time on
// the wall it says much the same while others use the machine too.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
