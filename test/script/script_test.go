// Package script runs flow.sh, the whole of Veche by its commands alone, and
// counts each of its claims as a test.
package script

import (
	"bufio"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/veche-im/veche/test/rig"
)

var claim = regexp.MustCompile(`^(not )?ok \d+ - (.*)$`)

func TestFlow(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("no bash on this machine")
	}
	cmd := exec.CommandContext(t.Context(), "bash", "flow.sh")
	cmd.Env = append(os.Environ(), "VECHE="+rig.Binary(t), "TMPDIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	claims := 0
	var comments []string
	for lines := bufio.NewScanner(strings.NewReader(string(out))); lines.Scan(); {
		m := claim.FindStringSubmatch(lines.Text())
		if m == nil {
			comments = append(comments, lines.Text())
			continue
		}
		claims++
		t.Run(m[2], func(t *testing.T) {
			if m[1] != "" {
				t.Errorf("not so; all that the script said:\n%s", out)
			}
		})
	}
	if err != nil && !t.Failed() {
		t.Errorf("the script ended with %v:\n%s", err, strings.Join(comments, "\n"))
	}
	if claims == 0 {
		t.Errorf("the script claimed nothing:\n%s", out)
	}
}
