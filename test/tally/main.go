// Command tally reads what the test runners print and counts for them.
//
//	go test -json ./… | tally go NAME     shows packages and failures, counts tests
//	npx vitest run    | tally text NAME   passes the text on, reads the runner's summary
//	tally step NAME COMMAND…              runs COMMAND, which counts as one test
//	tally sum                             one line for each runner, then the total
//
// Counts lie in the directory TALLY_DIR (test/output unless set), one file for
// each NAME, so that the runners may be started one by one. A runner that ended
// without saying how many tests it ran counts as one failure: silence is not
// success.
package main

import (
	"errors"
	"fmt"
	"os"
)

func main() {
	err := run(os.Args[1:])
	if err != nil && !errors.Is(err, errFailed) { // the total says that itself, and is the last line
		fmt.Fprintln(os.Stderr, "tally:", err)
	}
	if err != nil {
		os.Exit(1)
	}
}

func run(args []string) error {
	dir := os.Getenv("TALLY_DIR")
	if dir == "" {
		dir = "test/output"
	}
	switch {
	case len(args) == 1 && args[0] == "sum":
		return sum(os.Stdout, dir)
	case len(args) > 2 && args[0] == "step":
		return step(dir, args[1], args[2:])
	case len(args) != 2:
		return errors.New("use: tally go NAME, tally text NAME, tally step NAME COMMAND…, tally sum")
	}
	var c Count
	var err error
	switch args[0] {
	case "go":
		c, err = readGo(os.Stdin, os.Stdout)
	case "text":
		c, err = readText(os.Stdin, os.Stdout)
	default:
		return fmt.Errorf("unknown runner %q", args[0])
	}
	if err != nil {
		return err
	}
	return c.save(dir, args[1])
}
