package seed

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
)

// What is written is what a server would have written: a site with people whose
// devices are active, and rooms in which they are members and wait for nothing.
func TestASeededSite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s, err := Write(t.Context(), dir, 5, [][]int{{0, 1, 2}, {4, 0}})
	if err != nil {
		t.Fatal(err)
	}
	w, err := open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	for r, members := range [][]int{{0, 1, 2}, {4, 0}} {
		for _, m := range members {
			got, err := w.rooms.Get(t.Context(), actor(s.People[m]), s.Rooms[r].ID)
			if err != nil {
				t.Fatal(err)
			}
			if !got.Leaf || got.Welcome || got.Epoch != s.Rooms[r].Epoch || len(got.Members) != len(members) {
				t.Errorf("room %d stands for person %d as %+v", r, m, got)
			}
		}
		if _, err := w.rooms.Get(t.Context(), actor(s.People[3]), s.Rooms[r].ID); !errors.Is(err, authz.ErrDenied) {
			t.Errorf("person 3 is told %v of room %d", err, r)
		}
	}
	err = w.db.View(t.Context(), func(tx *db.Tx) error {
		var active int
		err := tx.QueryRow(`SELECT count(*) FROM device d JOIN session s ON s.device_id = d.id WHERE d.state = 'active'`).Scan(&active)
		if active != len(s.People) {
			t.Errorf("%d active devices have a session", active)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
