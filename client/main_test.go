package client_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain lets more tests run at once than there are cores: each mostly waits,
// for a line that is cut, a person's random pause, a crash.
func TestMain(m *testing.M) {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "test.parallel" })
	if !asked {
		if err := flag.Set("test.parallel", "4"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
