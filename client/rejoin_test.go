package client_test

import (
	"slices"
	"testing"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/internal/testenv"
)

// Who was taken out and in again while away finds a Welcome, and a log that
// first shows how they were taken out. The Welcome must still be there then:
// what was said since can be read with it alone.
func TestWhoWasRemovedAndAddedAgainWhileAwayMissesNothing(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	id := ann.Group("council", "bob")
	bob.Open("council")
	ann.Send(id, "before")
	bob.Sees(id, "ann", "before")

	bob.Stop()
	testenv.Do(ann, api.RemoveMember, api.RoomPerson{Room: id, Member: ann.Person("bob")})
	testenv.Do(ann, api.AddMembers, api.RoomPeople{Room: id, Members: ann.People("bob")})
	ann.Sent(ann.Send(id, "while you were away"))
	bob.Start()
	bob.Sees(id, "ann", "while you were away")
	if texts := bob.Texts(id); !slices.Equal(texts, []string{"before", "while you were away"}) {
		t.Errorf("bob has %q", texts)
	}
	if m := bob.Room("council"); m.State != api.RoomOpen {
		t.Errorf("bob's room is %s", m.State)
	}
	bob.Send(id, "back")
	ann.Sees(id, "bob", "back")
	noNotices(t, ann, bob)
}
