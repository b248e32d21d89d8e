package server_test

import (
	"testing"

	"github.com/veche-im/veche/internal/testenv"
)

func TestALifeIsToldInHelloAndOutlivesARestart(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUp("Ann")
	first := ann.Connect().Hello.Life
	if first.ID.IsZero() || first.Began != 0 {
		t.Fatalf("the life of a new site is %+v", first)
	}
	site.Restart()
	if again := ann.Connect().Hello.Life; again != first {
		t.Errorf("after a restart the life is %+v and was %+v", again, first)
	}
}
