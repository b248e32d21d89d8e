package load

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of times in /proc, USER_HZ, which Linux has fixed at 100.
const tick = 10 * time.Millisecond

// cpu is the user and system time that processes have used with all their
// threads.
func cpu(pids []int) (used time.Duration) {
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue // it has ended
		}
		f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:])) // the name may hold anything
		if len(f) < 13 {
			continue
		}
		user, _ := strconv.ParseInt(f[11], 10, 64)
		system, _ := strconv.ParseInt(f[12], 10, 64)
		used += time.Duration(user+system) * tick
	}
	return used
}

// Memory is what processes hold of the machine's memory, in bytes: all of it,
// and with what several share divided among them.
func Memory(pids []int) (rss, pss int64) {
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			var kb int64
			if _, err := fmt.Sscanf(line, "Rss: %d kB", &kb); err == nil {
				rss += kb << 10
			} else if _, err := fmt.Sscanf(line, "Pss: %d kB", &kb); err == nil {
				pss += kb << 10
			}
		}
	}
	return rss, pss
}

// own is the user and system time that this process has used.
func own() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Files raises the number of files that this process may have open to what the
// system allows, and returns it.
func Files() int {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil {
		return 0
	}
	r.Cur = r.Max
	_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &r) // then it stays as it is
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil {
		return 0
	}
	return int(r.Cur)
}
