package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// step runs a command that either holds or does not, such as a linter, and adds
// it to the count of name as one test. The error is the command's own.
func step(dir, name string, command []string) error {
	c, err := load(dir, name)
	if err != nil {
		return err
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	failed := cmd.Run()
	if failed == nil {
		c.Passed++
	} else {
		c.Failed++
		failed = fmt.Errorf("%s: %w", strings.Join(command, " "), failed)
	}
	return errors.Join(c.save(dir, name), failed)
}

// load returns the count of name so far.
func load(dir, name string) (c Count, err error) {
	b, err := os.ReadFile(filepath.Join(dir, name+".count"))
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(b, &c)
}
