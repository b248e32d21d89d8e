// Package recover takes sites back: from backups that were made while everybody
// wrote, from disks that lost a page, over clocks that leapt, between versions.
package recover

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/veche-im/veche/test/crowd"
	"github.com/veche-im/veche/test/ledger"
	"github.com/veche-im/veche/test/rig"
)

// line is what a site's database holds of an entry.
type line struct {
	seq    int64
	client string
	head   string
	body   string
}

// logs reads every room's log from the database of a site, in order.
func logs(t *testing.T, data string) map[string][]line {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(data, "veche.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(`SELECT hex(room_id), seq, hex(client_id), lower(hex(head)), hex(body) FROM room_entry ORDER BY room_id, seq`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := map[string][]line{}
	for rows.Next() {
		var room string
		var l line
		if err := rows.Scan(&room, &l.seq, &l.client, &l.head, &l.body); err != nil {
			t.Fatal(err)
		}
		all[room] = append(all[room], l)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// A backup that is made while a crowd writes is a moment that was: of every room
// an exact beginning of its log, with all in it that was acknowledged before.
func TestABackupUnderLoadIsAnExactBeginning(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	c := crowd.Found(t, data, crowd.Config{Seed: uint64(time.Now().UnixNano())})
	s := rig.At(t, dir, data)
	s.Start()
	c.Start(s.URL)
	type moment struct {
		file  string
		acked []ledger.Record
	}
	var made []moment
	for i := range 2 {
		for want := c.Ledger.Count(ledger.Ack) + 200; c.Ledger.Count(ledger.Ack) < want; {
			time.Sleep(5 * time.Millisecond)
		}
		m := moment{file: filepath.Join(dir, fmt.Sprintf("%d.veche", i))}
		for _, r := range c.Ledger.Records() {
			if r.Kind == ledger.Ack {
				m.acked = append(m.acked, r)
			}
		}
		if r := s.Run(t.Context(), "backup", m.file, "--data", data); r.Code != 0 {
			t.Fatalf("veche backup: %v", r)
		}
		made = append(made, m)
	}
	if err := c.Finish(t.Context(), s.URL); err != nil {
		t.Fatal(err)
	}
	for _, b := range c.Judge() { // the backups were in nobody's way
		t.Error(b)
	}
	if code := s.Stop(); code != 0 {
		t.Errorf("asked to stop, the server ended with %d", code)
	}
	full := logs(t, data)
	names := map[string]string{} // as the ledger has them → as the database does
	for _, room := range c.Rooms {
		names[room.String()] = fmt.Sprintf("%X", room[:])
	}
	for i, m := range made {
		back := filepath.Join(dir, fmt.Sprintf("back%d", i))
		if r := s.Run(t.Context(), "restore", m.file, "--data", back); r.Code != 0 {
			t.Fatalf("veche restore: %v", r)
		}
		got, shorter := logs(t, back), false
		for room, all := range full {
			have := got[room]
			if len(have) > len(all) {
				t.Fatalf("backup %d: room %s has %d entries, more than ever", i, room, len(have))
			}
			for j := range have {
				if have[j] != all[j] {
					t.Fatalf("backup %d: entry %d of room %s is another", i, j+1, room)
				}
			}
			shorter = shorter || len(have) < len(all)
		}
		if !shorter && i < len(made)-1 {
			t.Errorf("backup %d lacks nothing of what came after it: the test tests nothing", i)
		}
		for _, r := range m.acked {
			have := got[names[r.Room]]
			if r.Seq > int64(len(have)) || have[r.Seq-1].head[:len(r.Head)] != r.Head {
				t.Fatalf("backup %d lacks %s, which was acknowledged before as %d of %s", i, r.Token, r.Seq, r.Room)
			}
		}
		t.Logf("backup %d: %d were acknowledged before it", i, len(m.acked))
	}
	// What was restored serves.
	again := rig.At(t, t.TempDir(), filepath.Join(dir, "back1"))
	again.Start()
	if r := again.Run(t.Context(), "check", "--data", again.Data); r.Code != 0 {
		t.Errorf("veche check: %v", r)
	}
	if code := again.Stop(); code != 0 {
		t.Errorf("the restored site ended with %d", code)
	}
}
