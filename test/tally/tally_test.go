package main

import (
	"io"
	"strings"
	"testing"
)

func TestGoTestsAreCountedFromItsJSON(t *testing.T) {
	in := `{"Action":"start","Package":"a"}
{"Action":"output","Package":"a","Test":"TestX","Output":"=== RUN   TestX\n"}
{"Action":"pass","Package":"a","Test":"TestX/sub"}
{"Action":"pass","Package":"a","Test":"TestX"}
{"Action":"output","Package":"a","Test":"TestY","Output":"wrong answer\n"}
{"Action":"fail","Package":"a","Test":"TestY"}
{"Action":"skip","Package":"a","Test":"TestZ"}
{"Action":"output","Package":"a","Output":"FAIL\ta\t0.1s\n"}
{"Action":"fail","Package":"a"}
{"Action":"fail","Package":"b","FailedBuild":"b"}
{"Action":"output","Package":"c","Output":"ok  \tc\t0.1s\n"}
{"Action":"pass","Package":"c"}
`
	var out strings.Builder
	got, err := readGo(strings.NewReader(in), &out)
	if want := (Count{Passed: 2, Failed: 2, Skipped: 1}); err != nil || got != want {
		t.Fatalf("counted %v, %v; want %v", got, err, want)
	}
	for _, s := range []string{"wrong answer", "FAIL\ta\t0.1s", "FAIL\tb", "ok  \tc\t0.1s"} {
		if !strings.Contains(out.String(), s) {
			t.Errorf("%q is not shown in:\n%s", s, out.String())
		}
	}
	if strings.Contains(out.String(), "RUN") {
		t.Errorf("the output of a test that passed is shown:\n%s", out.String())
	}
}

func TestSummariesOfTextRunners(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     Count
	}{
		{"node, tap", "ok 1 - x\n# tests 3\n# pass 2\n# fail 1\n# cancelled 0\n# skipped 1\n", Count{2, 1, 1}},
		{"node, spec", "ℹ tests 2\nℹ pass 2\nℹ fail 0\n", Count{Passed: 2}},
		{"vitest with colours", "\x1b[2m      Tests \x1b[22m \x1b[31m1 failed\x1b[39m | \x1b[32m12 passed\x1b[39m | 2 skipped (15)\n", Count{12, 1, 2}},
		{"silence is a failure", "npm error something\n", Count{Failed: 1}},
		{"a cancelled test failed", "# pass 1\n# fail 0\n# cancelled 2\n", Count{Passed: 1, Failed: 2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readText(strings.NewReader(tt.in), io.Discard)
			if err != nil || got != tt.want {
				t.Errorf("counted %v, %v; want %v", got, err, tt.want)
			}
		})
	}
}

func TestSumFailsUnlessAllPassed(t *testing.T) {
	dir := t.TempDir()
	if err := sum(io.Discard, dir); err == nil {
		t.Error("nothing was counted and that was a success")
	}
	if err := (Count{Passed: 3}).save(dir, "go"); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := sum(&out, dir); err != nil || !strings.HasSuffix(out.String(), "\n3 passed, 0 failed\n") {
		t.Errorf("%v, %q", err, out.String())
	}
	if err := (Count{Passed: 1, Failed: 2}).save(dir, "web"); err != nil {
		t.Fatal(err)
	}
	if err := sum(&out, dir); err == nil || !strings.HasSuffix(out.String(), "\n4 passed, 2 failed\n") {
		t.Errorf("%v, %q", err, out.String())
	}
}

func TestStepsAddUp(t *testing.T) {
	dir := t.TempDir()
	if err := step(dir, "checks", []string{"true"}); err != nil {
		t.Error(err)
	}
	if err := step(dir, "checks", []string{"false"}); err == nil {
		t.Error("a command that fails is no error")
	}
	if err := step(dir, "checks", []string{"/no/such/command"}); err == nil {
		t.Error("a command that is not there is no error")
	}
	if c, err := load(dir, "checks"); err != nil || c != (Count{Passed: 1, Failed: 2}) {
		t.Errorf("counted %v, %v", c, err)
	}
}
