//go:build unix

package main

import "syscall"

// apartFromUs keeps the terminal's ctrl-C from a server that we start: we end it
// ourselves, in order.
func apartFromUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
