package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// source is what reflection cannot see: comments, and the constants of a type.
type source struct {
	docs   map[string]string   // "api.Room" → its doc comment, "api.Room.Title" → its field's
	consts map[string][]string // "api.Phase" → the values of its string constants, in order
}

// readSource parses the Go files (tests left out) of the given folders.
func readSource(folders ...string) (*source, error) {
	s := &source{docs: map[string]string{}, consts: map[string][]string{}}
	for _, folder := range folders {
		names, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			text, err := os.ReadFile(name)
			if err != nil {
				return nil, err
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments)
			if err != nil {
				return nil, fmt.Errorf("parse %s: %w", name, err)
			}
			for _, d := range file.Decls {
				if g, ok := d.(*ast.GenDecl); ok {
					s.add(file.Name.Name, g)
				}
			}
		}
	}
	return s, nil
}

func (s *source) add(pkg string, g *ast.GenDecl) {
	for _, spec := range g.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			name := pkg + "." + spec.Name.Name
			doc := spec.Doc
			if doc == nil && len(g.Specs) == 1 {
				doc = g.Doc
			}
			s.docs[name] = comment(doc)
			if st, ok := spec.Type.(*ast.StructType); ok {
				s.addFields(name, st)
			}
		case *ast.ValueSpec:
			if g.Tok == token.CONST {
				s.addConst(pkg, spec)
			}
		}
	}
}

func (s *source) addFields(typ string, st *ast.StructType) {
	for _, f := range st.Fields.List {
		text := comment(f.Doc)
		if text == "" {
			text = comment(f.Comment)
		}
		for _, n := range f.Names {
			s.docs[typ+"."+n.Name] = text
		}
	}
}

func (s *source) addConst(pkg string, spec *ast.ValueSpec) {
	typ, ok := spec.Type.(*ast.Ident)
	if !ok {
		return
	}
	for _, v := range spec.Values {
		lit, ok := v.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			continue
		}
		if text, err := strconv.Unquote(lit.Value); err == nil {
			name := pkg + "." + typ.Name
			s.consts[name] = append(s.consts[name], text)
		}
	}
}

// comment returns a comment's text on one line per paragraph line, without
// what would end a TypeScript comment.
func comment(c *ast.CommentGroup) string {
	return strings.ReplaceAll(strings.TrimSpace(c.Text()), "*/", "* /")
}
