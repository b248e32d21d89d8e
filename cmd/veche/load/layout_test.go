package load

import "testing"

func TestAmongHasEachMemberOnce(t *testing.T) {
	for _, n := range []struct{ people, rooms, members int }{{200, 200, 10}, {10, 7, 10}, {13, 40, 4}, {3, 1, 2}} {
		l := Among(n.people, n.rooms, n.members)
		for r, members := range l.Rooms {
			seen := map[int]bool{}
			for _, m := range members {
				if m < 0 || m >= n.people || seen[m] {
					t.Fatalf("%+v: room %d has %v", n, r, members)
				}
				seen[m] = true
			}
			if len(seen) != n.members {
				t.Errorf("%+v: room %d has %d members", n, r, len(seen))
			}
		}
	}
}
