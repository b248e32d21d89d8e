package doors

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"testing"
)

// A method that nobody has tried has no place in the table. For routes the same
// is tested where they are listed, in server/httpapi.
func TestEveryMethodHasARow(t *testing.T) {
	has := map[string]int{}
	for _, r := range socketRows() {
		has[r.do]++
	}
	names := methods(t)
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

// methods reads the names of all methods from the source of package wire.
func methods(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("../../wire/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			lit, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			list, ok := lit.Type.(*ast.IndexListExpr)
			if !ok {
				return true
			}
			if id, ok := list.X.(*ast.Ident); ok && id.Name == "Method" {
				method, err := strconv.Unquote(lit.Elts[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				names = append(names, method)
			}
			return true
		})
	}
	return names
}
