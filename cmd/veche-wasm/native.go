//go:build !js

package main

import (
	"fmt"
	"os"
)

// Elsewhere than in a browser there is nothing for it to do; it still builds, so
// that commands over the whole module hold.
func main() {
	fmt.Fprintln(os.Stderr, "veche-wasm runs in a browser: build it with GOOS=js GOARCH=wasm")
	os.Exit(2)
}
