package deptest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// dials are the ways to call somebody else, by import path. "*" is all of it.
var dials = map[string][]string{
	"net": {"Dial", "DialTimeout", "DialTCP", "DialUDP", "DialIP", "DialUnix", "Dialer", "Resolver", "DefaultResolver",
		"LookupHost", "LookupIP", "LookupAddr", "LookupCNAME", "LookupMX", "LookupNS", "LookupPort", "LookupSRV", "LookupTXT",
		"ResolveTCPAddr", "ResolveUDPAddr", "ResolveIPAddr"},
	"net/http":                     {"Get", "Head", "Post", "PostForm", "Client", "DefaultClient", "Transport", "DefaultTransport"},
	"net/http/httputil":            {"ReverseProxy", "NewSingleHostReverseProxy"},
	"net/smtp":                     {"*"},
	"net/rpc":                      {"*"},
	"crypto/tls":                   {"Dial", "DialWithDialer", "Dialer", "Client"},
	"os/exec":                      {"*"},
	"syscall":                      {"Connect"},
	"golang.org/x/sys/unix":        {"Connect"},
	"golang.org/x/net/proxy":       {"*"},
	"github.com/coder/websocket":   {"Dial"},
	"github.com/gorilla/websocket": {"Dialer", "DefaultDialer"},
}

// mayDial are the packages that do, and why.
var mayDial = map[string]string{
	"server/outbound": "the one dialer: it refuses what is not public",
	"server/admin":    "a command asks the server on its own socket, a file",
}

// The server calls nobody by itself, and what it will call goes through one
// dialer, which refuses the network that the server stands in.
func TestTheServerDialsThroughOneDoor(t *testing.T) {
	root := moduleRoot(t)
	used := map[string]bool{}
	for _, top := range []string{"server", "sfu", "cmd/veche/media"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return err
			}
			rel, err := filepath.Rel(root, name)
			if err != nil {
				return err
			}
			dir := path.Dir(filepath.ToSlash(rel))
			found, err := dialsIn(name, nil)
			for _, f := range found {
				if used[dir] = true; mayDial[dir] == "" && !forLoad(dir) {
					t.Errorf("%s: %s: call through server/outbound, which refuses private addresses", rel, f)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for dir := range mayDial {
		if !used[dir] {
			t.Errorf("%s may dial and does not", dir)
		}
	}
}

// forLoad is what plays the callers for a measurement.
func forLoad(dir string) bool { return dir == "sfu/load" || strings.HasPrefix(dir, "sfu/load/") }

func TestADialIsFound(t *testing.T) {
	for source, want := range map[string]int{
		"import \"net\"\nvar _ = net.Dial":                                                      1,
		"import n \"net\"\nvar d n.Dialer":                                                      1,
		"import \"net/http\"\nfunc f() { http.Get(\"x\"); _ = &http.Client{} }":                 2,
		"import . \"net/http\"\nvar c Client":                                                   1,
		"import \"os/exec\"\nvar _ = exec.Command":                                              1,
		"import \"net\"\nvar _ = net.Listen":                                                    0,
		"import \"net/http\"\nvar _ http.Handler":                                               0,
		"import net \"strings\"\nvar _ = net.Dial":                                              0,
		"import \"golang.org/x/net/proxy\"\nvar _ = proxy.FromEnvironment":                      1,
		"import (\n\"crypto/tls\"\n\"net\"\n)\nvar _, _ = tls.Server, tls.Dial\nvar _ net.Addr": 1,
	} {
		found, err := dialsIn("x.go", "package x\n"+source)
		if err != nil || len(found) != want {
			t.Errorf("%q: %v %v", source, found, err)
		}
	}
}

// dialsIn lists what a source file uses of dials.
func dialsIn(name string, source any) (found []string, err error) {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	of := map[string]string{} // name in this file → import path
	for _, i := range f.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			return nil, err
		}
		as := path.Base(p)
		if i.Name != nil {
			as = i.Name.Name
		}
		if as == "." && dials[p] != nil {
			found = append(found, "import . "+p)
		}
		of[as] = p
	}
	ast.Inspect(f, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := s.X.(*ast.Ident); ok {
			for _, d := range dials[of[x.Name]] {
				if d == "*" || d == s.Sel.Name {
					found = append(found, fmt.Sprintf("%s.%s in line %d", of[x.Name], s.Sel.Name, set.Position(s.Pos()).Line))
				}
			}
		}
		return true
	})
	return found, nil
}
