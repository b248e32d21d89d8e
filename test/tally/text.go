package main

import (
	"bufio"
	"io"
	"regexp"
	"strconv"
)

var (
	colour = regexp.MustCompile(`\x1b\[[0-9;]*m`)
	// node --test, reporters tap and spec: "# pass 12", "ℹ fail 0"
	nodeLine = regexp.MustCompile(`^(?:#|ℹ) (pass|fail|skipped|cancelled|todo) (\d+)$`)
	// vitest: "      Tests  1 failed | 12 passed | 2 skipped (15)"
	vitestLine = regexp.MustCompile(`^\s*Tests\s+(.*)\(\d+\)\s*$`)
	vitestPart = regexp.MustCompile(`(\d+) (passed|failed|skipped|todo)`)
)

// readText passes r on to w and adds up the summaries of node --test and vitest
// that it meets.
func readText(r io.Reader, w io.Writer) (Count, error) {
	var c Count
	said := false
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if _, err := io.WriteString(w, line); err != nil {
			return c, err
		}
		if c.read(colour.ReplaceAllString(line, "")) {
			said = true
		}
		if err == io.EOF {
			if !said {
				c.Failed++
			}
			return c, nil
		}
		if err != nil {
			return c, err
		}
	}
}

// read adds a line of a summary and reports whether it was one.
func (c *Count) read(line string) bool {
	for len(line) > 0 && (line[len(line)-1] == '\n' || line[len(line)-1] == '\r') {
		line = line[:len(line)-1]
	}
	if m := nodeLine.FindStringSubmatch(line); m != nil {
		c.plus(m[1], m[2])
		return true
	}
	if m := vitestLine.FindStringSubmatch(line); m != nil {
		for _, p := range vitestPart.FindAllStringSubmatch(m[1], -1) {
			c.plus(p[2], p[1])
		}
		return true
	}
	return false
}

func (c *Count) plus(what, number string) {
	n, _ := strconv.Atoi(number) // digits only, by the expression
	switch what {
	case "pass", "passed":
		c.Passed += n
	case "fail", "failed", "cancelled":
		c.Failed += n
	default:
		c.Skipped += n
	}
}
