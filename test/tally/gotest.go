package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// goEvent is a line of go test -json (go doc test2json).
type goEvent struct {
	Action, Package, Test, Output, ImportPath, FailedBuild string
}

// readGo counts tests and subtests. It shows the line of each package, all that
// a failed test printed, and the reason of each skipped one.
func readGo(r io.Reader, w io.Writer) (Count, error) {
	var c Count
	said := map[string][]string{} // output so far of a test or package
	failed := map[string]int{}    // failed tests of a package
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e goEvent
			if json.Unmarshal([]byte(line), &e) != nil {
				io.WriteString(w, line) // a build error or a warning of the go command
			} else {
				c.add(e, said, failed, w)
			}
		}
		if err == io.EOF {
			return c, nil
		}
		if err != nil {
			return c, err
		}
	}
}

func (c *Count) add(e goEvent, said map[string][]string, failed map[string]int, w io.Writer) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "build-output":
		io.WriteString(w, e.Output)
	case "output":
		if e.Test != "" {
			said[key] = append(said[key], e.Output)
		} else if !strings.HasPrefix(e.Output, "PASS") {
			said[key] = append(said[key], e.Output)
		}
	case "pass":
		if e.Test != "" {
			c.Passed++
		} else {
			show(w, said[key])
		}
		delete(said, key)
	case "skip":
		if e.Test != "" {
			c.Skipped++
		}
		show(w, said[key])
		delete(said, key)
	case "fail":
		show(w, said[key])
		delete(said, key)
		switch {
		case e.Test != "":
			c.Failed++
			failed[e.Package]++
		case failed[e.Package] == 0: // it did not build, or died outside of a test
			c.Failed++
			fmt.Fprintf(w, "FAIL\t%s failed outside of its tests %s\n", e.Package, e.FailedBuild)
		}
	}
}

func show(w io.Writer, lines []string) {
	for _, l := range lines {
		io.WriteString(w, l)
	}
}
