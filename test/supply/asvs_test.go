package supply

import (
	"encoding/csv"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// documented are the standard's sections of documentation: what they ask for is a
// page, and no test can show it.
var documented = []string{"V2.1.", "V5.1.", "V6.1.", "V7.1.", "V8.1.", "V11.1.", "V13.1.", "V14.1.", "V15.1.", "V16.1."}

// What docs/asvs.csv says must be so: each requirement stands once, and each test
// and page that it names is there.
func TestEveryRequirementHasItsEvidence(t *testing.T) {
	f, err := os.Open(filepath.Join(root, "docs/asvs.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(rows[0], " "); got != "requirement level subject status evidence note" {
		t.Fatalf("columns: %s", got)
	}
	number := regexp.MustCompile(`^V\d+\.\d+\.\d+$`)
	seen, levels, statuses := map[string]bool{}, map[string]int{}, map[string]int{}
	for _, r := range rows[1:] {
		id, level, subject, status, evidence, note := r[0], r[1], r[2], r[3], r[4], r[5]
		if !number.MatchString(id) || subject == "" {
			t.Errorf("%q is no requirement, or says nothing", id)
		}
		if seen[id] {
			t.Errorf("%s stands twice", id)
		}
		seen[id] = true
		levels[level]++
		statuses[status]++
		tests := 0
		if evidence != "" {
			for _, e := range strings.Split(evidence, "; ") {
				isTest, err := shown(e)
				if err != nil {
					t.Errorf("%s: %v", id, err)
				}
				if isTest {
					tests++
				}
			}
		}
		page := slices.ContainsFunc(documented, func(s string) bool { return strings.HasPrefix(id, s) })
		switch {
		case status == "yes" && tests == 0 && (!page || evidence == ""):
			t.Errorf("%s is said to be so, and no test shows it", id)
		case status == "by design" && evidence == "":
			t.Errorf("%s is so by design, and nothing shows it", id)
		case status == "partly" && (evidence == "" || note == ""), (status == "no" || status == "not applicable") && note == "":
			t.Errorf("%s is %q, and the note does not say why", id, status)
		case !slices.Contains([]string{"yes", "by design", "partly", "no", "not applicable"}, status):
			t.Errorf("%s: no such status: %q", id, status)
		}
	}
	if levels["1"] != 70 || levels["2"] != 183 || len(levels) != 2 {
		t.Errorf("%v: ASVS 5.0.0 has 70 requirements of level 1, and 183 more of level 2", levels)
	}
	t.Logf("%d requirements: %v", len(seen), statuses)
}

// shown reports whether evidence names a test, or else a page or file, and fails
// when that is not there.
func shown(evidence string) (isTest bool, err error) {
	if path, name, ok := strings.Cut(evidence, ":"); ok {
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			return true, err
		}
		for _, begin := range []string{"\nfunc " + name + "(t *testing.T)", "\nfunc " + name + "(f *testing.F)", `test("` + name + `"`, `step("` + name + `"`} {
			if strings.Contains(string(text), begin) {
				return true, nil
			}
		}
		return true, errors.New("there is no test " + evidence)
	}
	path, anchor, _ := strings.Cut(evidence, "#")
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil || anchor == "" {
		return false, err
	}
	for line := range strings.Lines(string(text)) {
		if title := strings.TrimLeft(line, "#"); title != line && anchorOf(title) == anchor {
			return false, nil
		}
	}
	return false, &fs.PathError{Op: "find", Path: evidence, Err: fs.ErrNotExist}
}

// anchorOf is what a heading is called in links: its words in small letters, with
// hyphens between them.
func anchorOf(title string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			return unicode.ToLower(r)
		}
		return -1
	}, strings.TrimSpace(title))
}

// A row whose evidence went away is found.
func TestEvidenceThatIsGoneIsFound(t *testing.T) {
	for _, gone := range []string{
		"test/supply/asvs_test.go:TestThatNeverWas", "test/supply/none_test.go:TestX", "docs/none.md", "docs/spec/sign-in.md#none",
		"web/test/hostile.test.tsx:a promise that nobody tests", "test/supply/asvs_test.go:TestEvidenceThatIsGone",
	} {
		if _, err := shown(gone); err == nil {
			t.Errorf("%s passes for evidence", gone)
		}
	}
	for _, there := range []string{"test/supply/asvs_test.go:TestEvidenceThatIsGoneIsFound", "docs/spec/sign-in.md#names-and-passwords", "SECURITY.md"} {
		if _, err := shown(there); err != nil {
			t.Error(err)
		}
	}
}

const root = "../.." // of the module
