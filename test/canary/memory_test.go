//go:build linux

package canary

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// readMemory returns all that a process has in memory, as a core dump would:
// every mapping that can be read.
func readMemory(t *testing.T, pid int) []byte {
	t.Helper()
	maps, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer maps.Close()
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if errors.Is(err, os.ErrPermission) {
		t.Skip("this machine does not let one read another process's memory (ptrace_scope): run as root")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	var all []byte
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var from, to uint64
		var mode string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &mode); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		if !strings.HasPrefix(mode, "r") || strings.HasSuffix(lines.Text(), "[vvar]") || strings.HasSuffix(lines.Text(), "[vsyscall]") {
			continue
		}
		all = append(all, readRange(mem, from, to)...)
	}
	if len(all) < 1<<20 {
		t.Fatalf("only %d bytes of memory could be read", len(all))
	}
	return all
}

// readRange reads page by page, as some pages of a mapping may not be there.
func readRange(mem *os.File, from, to uint64) []byte {
	const step = 1 << 20
	var got []byte
	buf := make([]byte, step)
	for at := from; at < to; at += step {
		want := buf[:min(step, to-at)]
		n, err := mem.ReadAt(want, int64(at))
		if err == nil || n > 0 {
			got = append(got, want[:n]...)
			continue
		}
		for page := at; page < at+uint64(len(want)); page += 4096 {
			if n, err := mem.ReadAt(want[:4096], int64(page)); err == nil {
				got = append(got, want[:n]...)
			}
		}
	}
	return got
}

// base64Middle returns the part of a base64 text that is the same whatever
// stands beside word, when word begins at that offset in a group of three.
func base64Middle(word string, offset int) []byte {
	padded := strings.Repeat("\x00", offset) + word
	padded = padded[:len(padded)-len(padded)%3]
	text := base64.RawStdEncoding.EncodeToString([]byte(padded))
	skip := []int{0, 2, 3}[offset]
	return []byte(text[skip:])
}
