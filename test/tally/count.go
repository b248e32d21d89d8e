package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// A Count is what one runner said of its tests.
type Count struct {
	Passed  int `json:"passed"`
	Failed  int `json:"failed"`
	Skipped int `json:"skipped"`
}

func (c Count) String() string {
	s := fmt.Sprintf("%d passed, %d failed", c.Passed, c.Failed)
	if c.Skipped > 0 {
		s += fmt.Sprintf(", %d skipped", c.Skipped)
	}
	return s
}

func (c Count) save(dir, name string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".count"), b, 0o644)
}

// sum writes each runner's count and the total as the last line. It fails when
// a test failed or nothing was counted at all.
func sum(w io.Writer, dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.count"))
	if err != nil {
		return err
	}
	sort.Strings(files)
	var total Count
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		var c Count
		if err := json.Unmarshal(b, &c); err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
		fmt.Fprintf(w, "%-10s %v\n", strings.TrimSuffix(filepath.Base(f), ".count"), c)
		total.Passed += c.Passed
		total.Failed += c.Failed
		total.Skipped += c.Skipped
	}
	fmt.Fprintf(w, "%d passed, %d failed\n", total.Passed, total.Failed)
	if total.Failed > 0 || total.Passed == 0 {
		return errFailed
	}
	return nil
}

// errFailed says that not everything passed.
var errFailed = errors.New("not everything passed")
