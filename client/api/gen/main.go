// Gen writes the TypeScript side of client/api: the types of every command and
// event, found by reflection over the table, with the doc comments and the
// constants of string types taken from the source. It runs by
//
//	go generate ./client/api
//
// and a test fails when the file that it wrote no longer fits the table.
package main

import (
	"fmt"
	"os"

	"github.com/veche-im/veche/client/api"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gen FILE, from the folder client/api")
		os.Exit(2)
	}
	text, err := generate(".", "../../wire", api.Commands(), api.Events())
	if err == nil {
		err = os.WriteFile(os.Args[1], text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}
