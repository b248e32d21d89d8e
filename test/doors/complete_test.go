package doors

import (
	"testing"

	"github.com/veche-im/veche/internal/testenv"
)

// A method that nobody has tried has no place in the table. For routes the same
// is tested where they are listed, in server/httpapi.
func TestEveryMethodHasARow(t *testing.T) {
	has := map[string]int{}
	for _, r := range socketRows() {
		has[r.do]++
	}
	names := testenv.Methods(t, "../../wire")
	if len(names) < 40 {
		t.Fatalf("only %d methods were found in wire", len(names))
	}
	for _, name := range names {
		if has[name] == 0 {
			t.Errorf("%s has no row", name)
		}
		delete(has, name)
	}
	for name := range has {
		t.Errorf("%s has rows, and is no method", name)
	}
}
