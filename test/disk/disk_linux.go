package disk

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Disk is an ext4 on a disk of this process, mounted at Path.
type Disk struct {
	Path string

	tb      testing.TB
	medium  *medium
	fuse    *fuse
	loop    string
	mounted bool
}

// New makes a disk of that many megabytes and mounts it. It is gone with the
// test. Where it cannot be had the test is skipped.
func New(tb testing.TB, megabytes int) *Disk {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Skip("NOT TESTED: mounting a disk needs root")
	}
	for _, tool := range []string{"mkfs.ext4", "losetup", "mount", "umount"} {
		if _, err := exec.LookPath(tool); err != nil {
			tb.Skipf("NOT TESTED: %s is missing (Debian: e2fsprogs, mount)", tool)
		}
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		tb.Skipf("NOT TESTED: %v", err)
	}
	dir := tb.TempDir()
	d := &Disk{Path: filepath.Join(dir, "mnt"), tb: tb, medium: newMedium(megabytes << 20)}
	file := filepath.Join(dir, "disk")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := os.Mkdir(d.Path, 0o700); err != nil {
		tb.Fatal(err)
	}
	f, err := serve(file, d.medium)
	if err != nil {
		tb.Skipf("NOT TESTED: %v", err)
	}
	d.fuse = f
	tb.Cleanup(d.remove)
	out, err := exec.Command("losetup", "--find", "--show", file).CombinedOutput()
	if err != nil {
		tb.Skipf("NOT TESTED: losetup: %v: %s", err, out)
	}
	d.loop = strings.TrimSpace(string(out))
	// All of it is written now: else the kernel would do that later, beside the test.
	d.run("mkfs.ext4", "-q", "-F", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0", d.loop)
	d.mount()
	return d
}

func (d *Disk) run(name string, args ...string) {
	d.tb.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		d.tb.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
}

func (d *Disk) mount() {
	d.tb.Helper()
	d.run("mount", "-t", "ext4", d.loop, d.Path)
	d.mounted = true
}

func (d *Disk) unmount() {
	d.tb.Helper()
	d.run("umount", d.Path)
	d.mounted = false
}

func (d *Disk) remove() {
	d.medium.release()
	d.Heal()
	if d.mounted {
		d.unmount()
	}
	if d.loop != "" {
		d.run("losetup", "--detach", d.loop)
	}
	if err := d.fuse.close(); err != nil {
		d.tb.Error(err)
	}
}

// Cut takes the power away and brings it back, with the file system mounted
// from what the disk then holds. In between kill must deal every process that
// uses the disk its death, and gone must wait until they are no more: while
// they are killed nothing reaches the disk, so what they still say they knew
// before.
//
// The kernel cannot be taken down with the power: what it would still write
// goes to a disk that nobody sees again.
func (d *Disk) Cut(r *rand.Rand, kill, gone func()) {
	d.tb.Helper()
	d.medium.cut(r)
	kill()
	d.medium.release()
	gone()
	d.unmount()
	d.medium.restore()
	d.mount()
}

// Flushes returns how many flushes the disk was asked for and has done.
func (d *Disk) Flushes() int {
	d.medium.mu.Lock()
	defer d.medium.mu.Unlock()
	return d.medium.flushes
}

// Slow makes each flush take so much longer.
func (d *Disk) Slow(by time.Duration) {
	d.medium.mu.Lock()
	defer d.medium.mu.Unlock()
	d.medium.slow = by
}

// Lie has the disk answer flushes and do nothing, as bad ones do. A cut then
// takes back some time, down to nothing or up to when it began to lie.
func (d *Disk) Lie() {
	d.tb.Helper()
	d.run("sync", "--file-system", d.Path)
	d.medium.mu.Lock()
	defer d.medium.mu.Unlock()
	d.medium.lies, d.medium.cached = true, nil
}

// Heal ends what Slow, Lie and a Fault began.
func (d *Disk) Heal() {
	d.medium.mu.Lock()
	defer d.medium.mu.Unlock()
	d.medium.slow, d.medium.broken, d.medium.lies = 0, nil, false
}
