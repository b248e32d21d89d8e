package group

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/veche-im/veche/mls"
)

// BenchmarkMLS measures what a member does, as suite/members/what, in the room
// of benchRoom: ann acts and bob follows. test/interop/bench.mjs does the same
// things with ts-mls under the same names, and make bench-mls puts both and the
// browser's build into one table.
//
//	client       keys for a new member, a key package
//	create       the same, and a group of one
//	fill         add all others to a group of one in one commit without a path, with their Welcome
//	add          add one more, in a commit without a path
//	join         enter a room that was filled in one go: verify and decrypt everything
//	join-warm    enter one where all members have sent a path
//	commit-cold  renew one's keys where all others are unmerged: a path sealed to each of them
//	follow-cold  and what another member does with that commit
//	commit       renew one's keys in a warm room
//	follow       and what another member does with that commit
//	external     enter the warm room by external commit
//	load         read the stored group of the warm room
//	seal, open   a message of 200 bytes
//
// A commit includes the GroupInfo for external joiners. The metric "bytes" is
// the size of what is sent; for joins, of what is read. "cpu-ns" is the time that
// all cores spent on it.
func BenchmarkMLS(b *testing.B) {
	for _, bs := range benchSuites {
		for _, n := range benchSizes {
			b.Run(fmt.Sprintf("%s/%d", bs.name, n), func(b *testing.B) { benchmarkRoom(b, bs.suite, n) })
		}
	}
}

// measure runs f once before the clock starts, then for the benchmark's time.
func measure(b *testing.B, name string, f func(b *testing.B) (size int)) {
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		size := f(b)
		clock = stopwatch{start: cpuTime()}
		for b.Loop() {
			f(b)
		}
		b.ReportMetric(float64(cpuTime()-clock.start-clock.aside)/float64(b.N), "cpu-ns/op")
		b.ReportMetric(float64(size), "bytes")
	})
}

// stopwatch measures the processor's time of one benchmark.
type stopwatch struct{ start, aside time.Duration }

var clock stopwatch

// aside does something that is not measured.
func aside(b *testing.B, f func()) {
	b.StopTimer()
	before := cpuTime()
	f()
	clock.aside += cpuTime() - before
	b.StartTimer()
}

func benchmarkRoom(b *testing.B, s mls.Suite, n int) {
	warm := openBenchRoom(b, s, n, true)
	if runtime.GOOS == "js" {
		warmUp(b, s, warm)
	}
	benchmarkAlone(b, s, warm)
	if n == 2 {
		ann, bob := benchPair(b, s, warm)
		benchmarkPair(b, "", ann, bob)
		benchmarkOne(b, warm, ann, bob)
		return
	}
	cold := openBenchRoom(b, s, n, false)
	benchmarkJoin(b, "join", s, cold)
	benchmarkJoin(b, "join-warm", s, warm)
	measure(b, "external", func(b *testing.B) int { return enterBenchRoom(b, s, warm) })

	ann, bob := benchJoin(b, s, cold, cold.Ann), benchJoin(b, s, cold, cold.Bob)
	benchmarkPair(b, "-cold", ann, bob)
	ann, bob = benchJoin(b, s, warm, warm.Ann), benchJoin(b, s, warm, warm.Bob)
	benchSendPath(b, ann, bob)
	benchSendPath(b, bob, ann)
	benchmarkPair(b, "", ann, bob)
	benchmarkOne(b, warm, ann, bob)
}

// warmUp works for a second, until the engine that runs us has compiled what is
// used most for good. bench.mjs does so too.
func warmUp(b *testing.B, s mls.Suite, r *benchRoom) {
	for start := cpuTime(); cpuTime()-start < time.Second; {
		ann, bob := benchPair(b, s, r)
		for range 10 {
			sealed, err := ann.Seal([]byte("hello"), nil)
			noError(b, err)
			m, err := mls.ParsePrivate(sealed)
			noError(b, err)
			_, err = bob.Open(m)
			noError(b, err)
		}
	}
}

// benchPair makes a room of ann and bob.
func benchPair(b *testing.B, s mls.Suite, r *benchRoom) (ann, bob *Group) {
	b.Helper()
	kp, secrets := r.Bob.parse(b, s)
	ann = benchGroup(b, s)
	p, err := ann.Commit(CommitOptions{Add: []mls.KeyPackage{kp}})
	noError(b, err)
	noError(b, ann.MergePending())
	w, err := mls.ParseWelcome(p.Welcome)
	noError(b, err)
	tree, err := ann.public.Tree()
	noError(b, err)
	bob, err = Join(w, kp, secrets, JoinOptions{Tree: tree})
	noError(b, err)
	benchSendPath(b, bob, ann)
	return ann, bob
}

func benchJoin(b *testing.B, s mls.Suite, r *benchRoom, m benchMember) *Group {
	b.Helper()
	kp, secrets := m.parse(b, s)
	w, err := mls.ParseWelcome(r.Welcome)
	noError(b, err)
	g, err := Join(w, kp, secrets, JoinOptions{Tree: r.Tree})
	noError(b, err)
	return g
}

func enterBenchRoom(b *testing.B, s mls.Suite, r *benchRoom) int {
	b.Helper()
	signer, err := NewSigner(s)
	noError(b, err)
	info, err := mls.ParseGroupInfo(r.GroupInfo)
	noError(b, err)
	_, p, err := JoinExternal(info, r.Tree, Config{Signer: signer, Credential: mls.Basic([]byte("carol"))}, ExternalOptions{})
	noError(b, err)
	return len(p.Message)
}

func benchSendPath(b *testing.B, from, to *Group) {
	b.Helper()
	p, err := from.Commit(CommitOptions{})
	noError(b, err)
	noError(b, from.MergePending())
	m, err := mls.ParsePublic(p.Message)
	noError(b, err)
	st, err := to.StageCommit(m)
	noError(b, err)
	noError(b, to.Apply(st))
}

// benchmarkAlone measures what needs no room.
func benchmarkAlone(b *testing.B, s mls.Suite, r *benchRoom) {
	measure(b, "client", func(b *testing.B) int {
		kp, _ := benchKeyPackage(b, s, "somebody")
		return len(benchMarshal(b, kp))
	})
	measure(b, "create", func(b *testing.B) int {
		benchKeyPackage(b, s, "somebody")
		benchGroup(b, s)
		return 0
	})
	g := benchGroup(b, s)
	var kps []mls.KeyPackage
	for _, o := range r.Others {
		kp, err := mls.ParseKeyPackage(o)
		noError(b, err)
		kps = append(kps, *kp)
	}
	measure(b, "fill", func(b *testing.B) int { return benchCommit(b, g, CommitOptions{Add: kps, NoPath: true}) })
}

func benchCommit(b *testing.B, g *Group, opts CommitOptions) int {
	b.Helper()
	p, err := g.Commit(opts)
	noError(b, err)
	g.ClearPending()
	return len(p.Message)
}

func benchmarkJoin(b *testing.B, name string, s mls.Suite, r *benchRoom) {
	measure(b, name, func(b *testing.B) int {
		benchJoin(b, s, r, r.Bob)
		return len(r.Tree) + len(r.Welcome)
	})
}

func benchmarkPair(b *testing.B, suffix string, ann, bob *Group) {
	measure(b, "commit"+suffix, func(b *testing.B) int { return benchCommit(b, ann, CommitOptions{}) })
	p, err := ann.Commit(CommitOptions{})
	noError(b, err)
	measure(b, "follow"+suffix, func(b *testing.B) int {
		m, err := mls.ParsePublic(p.Message)
		noError(b, err)
		_, err = bob.StageCommit(m)
		noError(b, err)
		return len(p.Message)
	})
	ann.ClearPending()
}

func benchmarkOne(b *testing.B, r *benchRoom, ann, bob *Group) {
	kp, err := mls.ParseKeyPackage(r.Others[0])
	noError(b, err)
	measure(b, "add", func(b *testing.B) int {
		return benchCommit(b, ann, CommitOptions{Add: []mls.KeyPackage{*kp}, NoPath: true})
	})
	store := newMemory()
	noError(b, ann.Save(store))
	measure(b, "load", func(b *testing.B) int {
		_, err := Load(store)
		noError(b, err)
		return 0
	})
	text := make([]byte, 200)
	measure(b, "seal", func(b *testing.B) int {
		m, err := bob.Seal(text, nil)
		noError(b, err)
		return len(m)
	})
	var sealed [][]byte
	measure(b, "open", func(b *testing.B) int {
		if len(sealed) == 0 {
			aside(b, func() {
				for range 256 {
					m, err := ann.Seal(text, nil)
					noError(b, err)
					sealed = append(sealed, m)
				}
			})
		}
		next := sealed[0]
		sealed = sealed[1:]
		m, err := mls.ParsePrivate(next)
		noError(b, err)
		_, err = bob.Open(m)
		noError(b, err)
		return len(next)
	})
}
