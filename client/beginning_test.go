package client_test

import (
	"testing"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/internal/testenv"
)

// Who is there from the first commit on misses nothing, and is not told
// otherwise.
func TestNothingIsMissingInARoomThatBeganWithUs(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob", "cyd"))
	ann, bob, cyd := w.Client("ann"), w.Client("bob"), w.Client("cyd")
	id := ann.Group("council", "bob")
	bob.Open("council")
	rows := bob.Timeline(id)
	if len(rows) != 2 || rows[0].Change == nil || rows[1].Change == nil {
		t.Fatalf("bob sees %+v", rows)
	}
	if c := rows[0].Change; c.Kind != api.ChangeCreated || c.By != "ann" {
		t.Errorf("first bob sees %+v", c)
	}
	if c := rows[1].Change; c.Kind != api.ChangeAdded || c.By != "ann" || !c.You {
		t.Errorf("then bob sees %+v", c)
	}

	testenv.Do(ann, api.AddMembers, api.RoomPeople{Room: id, Members: ann.People("cyd")})
	cyd.Open("council")
	if rows := cyd.Timeline(id); len(rows) == 0 || rows[0].Kind != api.ItemStart {
		t.Errorf("who came later sees %+v", rows)
	}
}
