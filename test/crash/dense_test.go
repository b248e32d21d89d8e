package crash

import (
	"database/sql"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/veche-im/veche/test/rig"
)

// dense looks at the server's own database, once it is stopped: each room's
// numbers are 1, 2, 3 … without a hole, the counter stands at the last, and no
// client id was used twice by a device. Clients cannot say this, since commits
// have numbers too and show no row.
func dense(t *testing.T, s *rig.Site) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.Data, "veche.db")+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var sound string
	if err := db.QueryRow(`PRAGMA integrity_check`).Scan(&sound); err != nil || sound != "ok" {
		t.Errorf("the database is not sound: %s %v", sound, err)
	}
	rows, err := db.Query(`
		SELECT hex(r.id), r.seq, count(*), min(e.seq), max(e.seq), count(DISTINCT hex(e.device_id) || hex(e.client_id))
		FROM room r JOIN room_entry e ON e.room_id = r.id GROUP BY r.id, r.seq`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		n++
		var room string
		var counter, count, first, last, clients int64
		if err := rows.Scan(&room, &counter, &count, &first, &last, &clients); err != nil {
			t.Fatal(err)
		}
		if first != 1 || last != count || counter != last {
			t.Errorf("L3: room %s has %d entries from %d to %d, and its counter says %d", room, count, first, last, counter)
		}
		if clients != count {
			t.Errorf("L2: room %s has %d entries with %d client ids", room, count, clients)
		}
		t.Logf("room %s: %d entries", room, count)
	}
	if err := rows.Err(); err != nil || n == 0 {
		t.Errorf("%d rooms, %v", n, err)
	}
}
