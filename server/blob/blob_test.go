package blob_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/blob"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/room"
	"github.com/veche-im/veche/wire"
)

type site struct {
	*testing.T
	ctx   context.Context
	db    *db.DB
	blobs *blob.Store
	dir   string
	now   time.Time
	fatal error
}

func newSite(t *testing.T, change ...func(*blob.Config)) *site {
	t.Helper()
	s := &site{T: t, ctx: t.Context(), dir: filepath.Join(t.TempDir(), "blobs"), now: time.Now()}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	var err error
	s.db, err = db.Open(s.ctx, db.Config{
		Path: filepath.Join(t.TempDir(), "veche.db"), Schemas: []db.Schema{room.Schema, blob.Schema}, Log: log,
	})
	s.must(err)
	t.Cleanup(func() { s.db.Close() })
	cfg := blob.Config{
		DB: s.db, Dir: s.dir, Log: log, Now: func() time.Time { return s.now },
		Fatal: func(err error) { s.fatal = err },
	}
	for _, f := range change {
		f(&cfg)
	}
	s.blobs, err = blob.New(cfg)
	s.must(err)
	return s
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *site) want(err error, code wire.Code) {
	s.Helper()
	if wire.CodeOf(err) != code {
		s.Fatalf("got %v, want %s", err, code)
	}
}

func person() authz.Actor {
	return authz.Actor{Account: wire.NewAccountID(), Device: wire.NewDeviceID(), State: wire.DeviceActive}
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// upload makes a complete blob.
func (s *site) upload(a authz.Actor, b []byte) wire.BlobID {
	s.Helper()
	st, err := s.blobs.Create(s.ctx, a, int64(len(b)))
	s.must(err)
	for st.Have < st.Size {
		end := min(st.Have+blob.MaxAppend, st.Size)
		st, err = s.blobs.Append(s.ctx, a, st.Blob, st.Have, bytes.NewReader(b[st.Have:end]))
		s.must(err)
	}
	return st.Blob
}

func (s *site) read(a authz.Actor, id wire.BlobID) []byte {
	s.Helper()
	f, err := s.blobs.Open(s.ctx, a, id)
	s.must(err)
	defer f.Close()
	b, err := io.ReadAll(f)
	s.must(err)
	if int64(len(b)) != f.Size {
		s.Fatalf("read %d bytes of %d", len(b), f.Size)
	}
	return b
}

// file is where the bytes of a blob lie.
func (s *site) file(id wire.BlobID) string {
	return filepath.Join(s.dir, id.String()[:2], id.String())
}

func (s *site) exists(id wire.BlobID) bool {
	_, err := os.Stat(s.file(id))
	return err == nil
}

// settle runs the store until it has removed what it is to remove.
func (s *site) settle(gone ...wire.BlobID) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.blobs.Run(ctx) }()
	for _, id := range gone {
		for s.exists(id) && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		if s.exists(id) {
			s.Errorf("the file of %s is still there", id)
		}
	}
	cancel()
	s.must(<-done)
}

// member has the account be a member of a room for the entries from … until.
func (s *site) member(r wire.RoomID, a authz.Actor, from, until int64) {
	s.Helper()
	s.must(s.db.Update(s.ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(`INSERT INTO room_member (room_id, account_id, from_seq, until_seq) VALUES ($1, $2, $3, $4)`, r, a.Account, from, until)
		return err
	}))
}

func (s *site) hold(a authz.Actor, r wire.RoomID, seq int64, ids ...wire.BlobID) error {
	return s.db.Update(s.ctx, func(tx *db.Tx) error { return s.blobs.Hold(tx, a, r, seq, ids) })
}

// releaseRoom releases all that a room holds, and returns in how many steps.
func (s *site) releaseRoom(r wire.RoomID) (steps int) {
	s.Helper()
	for more := true; more; steps++ {
		s.must(s.db.Update(s.ctx, func(tx *db.Tx) (err error) {
			more, err = s.blobs.ReleaseRoom(tx, r)
			return err
		}))
	}
	return steps
}

func (s *site) release(r wire.RoomID, seq int64) error {
	return s.db.Update(s.ctx, func(tx *db.Tx) error { return s.blobs.Release(tx, r, seq) })
}

func TestAnUploadResumes(t *testing.T) {
	s := newSite(t)
	ann, want := person(), random(9_000_000)
	st, err := s.blobs.Create(s.ctx, ann, int64(len(want)))
	s.must(err)
	id := st.Blob
	st, err = s.blobs.Append(s.ctx, ann, id, 0, bytes.NewReader(want[:1000]))
	s.must(err)
	if st.Have != 1000 {
		t.Errorf("stands at %d", st.Have)
	}
	_, err = s.blobs.Open(s.ctx, ann, id)
	s.want(err, wire.NotFound) // not complete

	for _, offset := range []int64{0, 999, 1001, int64(len(want)), -1} {
		st, err = s.blobs.Append(s.ctx, ann, id, offset, bytes.NewReader(want[:10]))
		s.want(err, wire.Conflict)
		if st.Have != 1000 {
			t.Errorf("at %d the state is %+v", offset, st)
		}
	}

	// A connection that breaks has brought what arrived.
	broken := io.MultiReader(bytes.NewReader(want[1000:5000]), iotest.ErrReader(io.ErrUnexpectedEOF))
	if _, err = s.blobs.Append(s.ctx, ann, id, 1000, broken); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
	st, err = s.blobs.State(s.ctx, ann, id)
	s.must(err)
	if st.Have != 5000 {
		t.Errorf("stands at %d", st.Have)
	}
	for st.Have < st.Size {
		end := min(st.Have+blob.MaxAppend, st.Size)
		st, err = s.blobs.Append(s.ctx, ann, id, st.Have, bytes.NewReader(want[st.Have:end]))
		s.must(err)
	}
	if !bytes.Equal(s.read(ann, id), want) {
		t.Error("other bytes came back")
	}
	f, err := s.blobs.Open(s.ctx, ann, id)
	s.must(err)
	defer f.Close()
	if _, err := f.Seek(8_999_000, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if tail, err := io.ReadAll(f); err != nil || !bytes.Equal(tail, want[8_999_000:]) {
		t.Errorf("the tail is %d other bytes, %v", len(tail), err)
	}
	// The answer to the last Append was lost.
	st, err = s.blobs.Append(s.ctx, ann, id, st.Size, bytes.NewReader(nil))
	s.must(err)
	_, err = s.blobs.Append(s.ctx, ann, id, st.Size, bytes.NewReader([]byte{1}))
	s.want(err, wire.TooLarge)
}

// A crash after the bytes were written and before the row moved on leaves more
// on disk than was acknowledged.
func TestWhatWasNotAcknowledgedIsCutOff(t *testing.T) {
	s := newSite(t)
	ann, want := person(), random(3000)
	st, err := s.blobs.Create(s.ctx, ann, 3000)
	s.must(err)
	_, err = s.blobs.Append(s.ctx, ann, st.Blob, 0, bytes.NewReader(want[:1000]))
	s.must(err)
	f, err := os.OpenFile(s.file(st.Blob), os.O_WRONLY|os.O_APPEND, 0)
	s.must(err)
	_, err = f.Write(random(5000))
	s.must(err)
	s.must(f.Close())
	_, err = s.blobs.Append(s.ctx, ann, st.Blob, 1000, bytes.NewReader(want[1000:2000]))
	s.must(err)
	_, err = s.blobs.Append(s.ctx, ann, st.Blob, 2000, bytes.NewReader(want[2000:]))
	s.must(err)
	if !bytes.Equal(s.read(ann, st.Blob), want) {
		t.Error("other bytes came back")
	}
}

func TestBytesThatTheDiskLostAreNotGivenOut(t *testing.T) {
	s := newSite(t)
	ann := person()
	id := s.upload(ann, random(1000))
	s.must(os.Truncate(s.file(id), 500))
	if _, err := s.blobs.Open(s.ctx, ann, id); err == nil || wire.CodeOf(err) != "" {
		t.Errorf("got %v, want a fault of the server's own", err)
	}
	st, err := s.blobs.Create(s.ctx, ann, 1000)
	s.must(err)
	_, err = s.blobs.Append(s.ctx, ann, st.Blob, 0, bytes.NewReader(random(400)))
	s.must(err)
	s.must(os.Truncate(s.file(st.Blob), 300))
	if _, err := s.blobs.Append(s.ctx, ann, st.Blob, 400, bytes.NewReader(random(600))); err == nil || wire.CodeOf(err) != "" {
		t.Errorf("got %v, want a fault of the server's own", err)
	}
}

func TestTooMuchAddsNothing(t *testing.T) {
	s := newSite(t)
	ann := person()
	st, err := s.blobs.Create(s.ctx, ann, 100_000)
	s.must(err)
	_, err = s.blobs.Append(s.ctx, ann, st.Blob, 0, bytes.NewReader(random(100_001)))
	s.want(err, wire.TooLarge)
	big, err := s.blobs.Create(s.ctx, ann, 2*blob.MaxAppend)
	s.must(err)
	_, err = s.blobs.Append(s.ctx, ann, big.Blob, 0, bytes.NewReader(random(blob.MaxAppend+1)))
	s.want(err, wire.TooLarge)
	for _, id := range []wire.BlobID{st.Blob, big.Blob} {
		if st, err := s.blobs.State(s.ctx, ann, id); err != nil || st.Have != 0 {
			t.Errorf("stands at %+v, %v", st, err)
		}
	}
	want := random(100_000)
	_, err = s.blobs.Append(s.ctx, ann, st.Blob, 0, bytes.NewReader(want))
	s.must(err)
	if !bytes.Equal(s.read(ann, st.Blob), want) {
		t.Error("other bytes came back")
	}
}

func TestCapAndQuota(t *testing.T) {
	s := newSite(t, func(c *blob.Config) { c.Max, c.Quota = 50_000, 120_000 })
	ann, bob := person(), person()
	for _, size := range []int64{0, -1} {
		_, err := s.blobs.Create(s.ctx, ann, size)
		s.want(err, wire.BadRequest)
	}
	_, err := s.blobs.Create(s.ctx, authz.Actor{Account: ann.Account, State: wire.DevicePending}, 50)
	s.want(err, wire.NotFound)
	_, err = s.blobs.Create(s.ctx, ann, 50_001)
	s.want(err, wire.TooLarge)
	first, err := s.blobs.Create(s.ctx, ann, 50_000)
	s.must(err)
	_, err = s.blobs.Create(s.ctx, ann, 50_000)
	s.must(err)
	_, err = s.blobs.Create(s.ctx, ann, 20_001)
	s.want(err, wire.NoSpace)
	_, err = s.blobs.Create(s.ctx, bob, 50_000)
	s.must(err)
	s.must(s.blobs.Delete(s.ctx, ann, first.Blob))
	_, err = s.blobs.Create(s.ctx, ann, 50_000)
	s.must(err)
	// Tiny ones are not free: each costs a block.
	for range 4 {
		_, err = s.blobs.Create(s.ctx, ann, 1)
		s.must(err)
	}
	_, err = s.blobs.Create(s.ctx, ann, 1)
	s.want(err, wire.NoSpace)
	if got := s.blobs.Caps(); got != (wire.Caps{Blob: 50_000, Quota: 120_000}) {
		t.Errorf("caps are %+v", got)
	}
}

func TestBlobsThatNoMessageHoldsAreFew(t *testing.T) {
	s := newSite(t)
	ann, r := person(), wire.NewRoomID()
	held := s.upload(ann, random(10))
	s.must(s.hold(ann, r, 1, held))
	for range 1000 {
		_, err := s.blobs.Create(s.ctx, ann, 1)
		s.must(err)
	}
	_, err := s.blobs.Create(s.ctx, ann, 1)
	s.want(err, wire.NoSpace)
}

func TestWhoMayRead(t *testing.T) {
	s := newSite(t)
	ann, bob, cid, dan, eve := person(), person(), person(), person(), person()
	pending := authz.Actor{Account: ann.Account, Device: wire.NewDeviceID(), State: wire.DevicePending}
	r, elsewhere := wire.NewRoomID(), wire.NewRoomID()
	s.member(r, ann, 1, 0)
	s.member(r, bob, 1, 0)
	s.member(r, cid, 1, 9) // left with entry 9
	s.member(r, dan, 11, 0)
	s.member(elsewhere, eve, 1, 0)
	id := s.upload(ann, random(10))
	readers := func() (who []string) {
		for name, a := range map[string]authz.Actor{"ann": ann, "bob": bob, "cid": cid, "dan": dan, "eve": eve, "pending": pending} {
			may, err := s.blobs.MayRead(s.ctx, a, id)
			s.must(err)
			_, err = s.blobs.Open(s.ctx, a, id)
			if may != (err == nil) || err != nil && wire.CodeOf(err) != wire.NotFound {
				t.Errorf("%s: %v, %v", name, may, err)
			}
			if may {
				who = append(who, name)
			}
		}
		return who
	}
	is := func(when string, want ...string) {
		t.Helper()
		got := make(map[string]bool)
		for _, w := range readers() {
			got[w] = true
		}
		for _, w := range want {
			if !got[w] {
				t.Errorf("%s %s may not read", when, w)
			}
			delete(got, w)
		}
		for w := range got {
			t.Errorf("%s %s may read", when, w)
		}
	}
	is("before it is sent", "ann")
	s.want(s.hold(bob, r, 10, id), wire.NotFound)
	s.must(s.hold(ann, r, 10, id))
	is("in a message after cid left and before dan came,", "ann", "bob")
	s.must(s.hold(bob, r, 9, id))
	is("in the message with which cid left,", "ann", "bob", "cid")
	s.must(s.hold(bob, r, 12, id))
	is("in a message after dan came,", "ann", "bob", "cid", "dan")
	s.must(s.release(r, 9))
	s.must(s.release(r, 12))
	is("when those are erased,", "ann", "bob")
	s.must(s.release(r, 10))
	is("when all are erased,")
}

func TestDelete(t *testing.T) {
	s := newSite(t)
	ann, bob, r := person(), person(), wire.NewRoomID()
	s.member(r, bob, 1, 0)
	id := s.upload(ann, random(10))
	s.want(s.blobs.Delete(s.ctx, bob, id), wire.NotFound)
	s.want(s.blobs.Delete(s.ctx, ann, wire.NewBlobID()), wire.NotFound)
	s.must(s.hold(ann, r, 1, id, id)) // named twice counts once
	s.want(s.blobs.Delete(s.ctx, bob, id), wire.NotFound)
	s.want(s.blobs.Delete(s.ctx, ann, id), wire.Conflict)
	_, err := s.blobs.Append(s.ctx, bob, id, 10, bytes.NewReader(nil))
	s.want(err, wire.NotFound)
	s.must(s.hold(ann, r, 2, id))
	s.must(s.release(r, 1))
	if !bytes.Equal(s.read(bob, id), s.read(ann, id)) {
		t.Error("other bytes came back")
	}
	s.must(s.release(r, 2)) // the last one takes it along
	_, err = s.blobs.State(s.ctx, ann, id)
	s.want(err, wire.NotFound)
	s.settle(id)

	loose := s.upload(ann, random(10))
	s.must(s.blobs.Delete(s.ctx, ann, loose))
	s.want(s.blobs.Delete(s.ctx, ann, loose), wire.NotFound)
	s.settle(loose)

	first, second := s.upload(ann, random(10)), s.upload(ann, random(10))
	other := wire.NewRoomID()
	s.must(s.hold(ann, r, 3, first, second))
	s.must(s.hold(ann, other, 1, second))
	s.releaseRoom(r)
	s.settle(first)
	s.read(ann, second)
}

// What a transaction that is undone would have deleted stays, file and all.
func TestFilesOutliveATransactionThatIsUndone(t *testing.T) {
	s := newSite(t)
	ann, r := person(), wire.NewRoomID()
	want := random(10)
	id := s.upload(ann, want)
	s.must(s.hold(ann, r, 1, id))
	no := errors.New("no")
	err := s.db.Update(s.ctx, func(tx *db.Tx) error {
		if err := s.blobs.Release(tx, r, 1); err != nil {
			return err
		}
		return no
	})
	if !errors.Is(err, no) {
		t.Fatal(err)
	}
	s.settle()
	if !bytes.Equal(s.read(ann, id), want) {
		t.Error("other bytes came back")
	}
}

func TestIncompleteBlobsAreNotHeld(t *testing.T) {
	s := newSite(t)
	ann := person()
	st, err := s.blobs.Create(s.ctx, ann, 10)
	s.must(err)
	s.want(s.hold(ann, wire.NewRoomID(), 1, st.Blob), wire.NotFound)
	_, err = s.blobs.Append(s.ctx, ann, st.Blob, 0, bytes.NewReader(random(9)))
	s.must(err)
	s.want(s.hold(ann, wire.NewRoomID(), 1, st.Blob), wire.NotFound)
}

func TestSweepTakesWhatNothingHolds(t *testing.T) {
	s := newSite(t)
	ann, r := person(), wire.NewRoomID()
	held, loose := s.upload(ann, random(10)), s.upload(ann, random(10))
	s.must(s.hold(ann, r, 1, held))
	slow, err := s.blobs.Create(s.ctx, ann, 20)
	s.must(err)
	s.now = s.now.Add(wire.BlobTTL - time.Minute)
	_, err = s.blobs.Append(s.ctx, ann, slow.Blob, 0, bytes.NewReader(random(10)))
	s.must(err)
	s.settle()
	if !s.exists(loose) {
		t.Error("swept too early")
	}
	s.now = s.now.Add(2 * time.Minute)
	s.settle(loose)
	if _, err := s.blobs.State(s.ctx, ann, loose); wire.CodeOf(err) != wire.NotFound {
		t.Errorf("got %v", err)
	}
	s.read(ann, held)
	_, err = s.blobs.Append(s.ctx, ann, slow.Blob, 10, bytes.NewReader(random(10)))
	s.must(err)
	s.read(ann, slow.Blob)
}

func TestStartSweepsOrphans(t *testing.T) {
	s := newSite(t)
	ann := person()
	kept := s.upload(ann, random(10))
	orphan := wire.NewBlobID()
	s.must(os.MkdirAll(filepath.Dir(s.file(orphan)), 0o700))
	s.must(os.WriteFile(s.file(orphan), random(10), 0o600))
	strange := filepath.Join(s.dir, "notes.txt")
	s.must(os.WriteFile(strange, []byte("the admin's"), 0o600))
	misplaced := filepath.Join(s.dir, wire.NewBlobID().String())
	s.must(os.WriteFile(misplaced, []byte("not ours"), 0o600))
	s.settle(orphan)
	s.read(ann, kept)
	for _, path := range []string{strange, misplaced} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

func TestOneAppendAtATime(t *testing.T) {
	s := newSite(t)
	ann := person()
	st, err := s.blobs.Create(s.ctx, ann, 100_000)
	s.must(err)
	var won sync.Map
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			b := bytes.Repeat([]byte{byte(i + 1)}, 100_000)
			_, err := s.blobs.Append(s.ctx, ann, st.Blob, 0, bytes.NewReader(b))
			switch {
			case err == nil:
				won.Store(i, b)
			case wire.CodeOf(err) != wire.Conflict:
				t.Errorf("append %d: %v", i, err)
			}
		})
	}
	group.Wait()
	winners := 0
	won.Range(func(_, b any) bool {
		winners++
		if !bytes.Equal(s.read(ann, st.Blob), b.([]byte)) {
			t.Error("other bytes came back")
		}
		return true
	})
	if winners != 1 {
		t.Errorf("%d appends won", winners)
	}
}

func TestAnAppendThatHangsMakesTheNextBusy(t *testing.T) {
	s := newSite(t)
	ann := person()
	st, err := s.blobs.Create(s.ctx, ann, 100)
	s.must(err)
	r, w := io.Pipe()
	done := make(chan error)
	go func() {
		_, err := s.blobs.Append(s.ctx, ann, st.Blob, 0, r)
		done <- err
	}()
	_, err = w.Write(random(50)) // the reader has the lock now
	s.must(err)
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	_, err = s.blobs.Append(ctx, ann, st.Blob, 0, bytes.NewReader(random(100)))
	s.want(err, wire.Busy)
	s.must(w.Close())
	s.must(<-done)
	if st, err := s.blobs.State(s.ctx, ann, st.Blob); err != nil || st.Have != 50 {
		t.Errorf("stands at %+v, %v", st, err)
	}
}

func TestAFullDisk(t *testing.T) {
	s := newSite(t)
	if err := syscall.Mount("none", s.dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("SKIPPED: no small disk to fill: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(s.dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	ann := person()
	kept := random(100 << 10)
	id := s.upload(ann, kept)
	st, err := s.blobs.Create(s.ctx, ann, 300<<10)
	s.must(err)
	_, err = s.blobs.Append(s.ctx, ann, st.Blob, 0, bytes.NewReader(random(300<<10)))
	s.want(err, wire.NoSpace)
	if s.fatal != nil {
		t.Errorf("a full disk ended the process: %v", s.fatal)
	}
	if !bytes.Equal(s.read(ann, id), kept) {
		t.Error("other bytes came back")
	}
	if st, err := s.blobs.State(s.ctx, ann, st.Blob); err != nil || st.Have != 0 {
		t.Errorf("stands at %+v, %v", st, err)
	}
	s.must(s.blobs.Delete(s.ctx, ann, id))
	s.settle(id)
	part := random(200 << 10)
	got, err := s.blobs.Append(s.ctx, ann, st.Blob, 0, bytes.NewReader(part))
	s.must(err)
	if got.Have != 200<<10 {
		t.Errorf("stands at %+v", got)
	}
}

func TestASyncThatFailsIsFatal(t *testing.T) {
	s := newSite(t)
	ann := person()
	st, err := s.blobs.Create(s.ctx, ann, 100)
	s.must(err)
	_, err = s.blobs.Append(s.ctx, ann, st.Blob, 0, bytes.NewReader(random(10)))
	s.must(err)
	s.blobs.FailSync(syscall.ENOSPC)
	_, err = s.blobs.Append(s.ctx, ann, st.Blob, 10, bytes.NewReader(random(10)))
	s.want(err, wire.NoSpace)
	if s.fatal != nil {
		t.Errorf("a full disk ended the process: %v", s.fatal)
	}
	s.blobs.FailSync(syscall.EIO)
	if _, err = s.blobs.Append(s.ctx, ann, st.Blob, 10, bytes.NewReader(random(10))); err == nil || s.fatal == nil {
		t.Errorf("got %v, and the process lives on", err)
	}
	if st, err := s.blobs.State(s.ctx, ann, st.Blob); err != nil || st.Have != 10 {
		t.Errorf("stands at %+v, %v", st, err)
	}
}

func TestNamesAndModes(t *testing.T) {
	s := newSite(t)
	id := s.upload(person(), random(10))
	for path, mode := range map[string]os.FileMode{s.dir: 0o700, filepath.Dir(s.file(id)): 0o700, s.file(id): 0o600} {
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != mode {
			t.Errorf("%s has mode %v, %v", path, st.Mode(), err)
		}
	}
}
