package doors

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/server"
	"github.com/veche-im/veche/server/account"
	"github.com/veche-im/veche/wire"
)

// What is not there and what is not for one take the same time: whoever measures
// learns no more than who reads the answer. That the same work is done is tested
// where it is done (server/account); this looks at it from outside, and coarsely,
// because the machine does other things too: the medians of trials in turns, of
// which one round in five must be close. Accounts are not in it: everybody may list
// them.
func TestWhatIsNotForOneTakesAsLongAsWhatIsNotThere(t *testing.T) {
	c := &clock{at: time.Now()}
	site := testenv.Start(t, testenv.WithClock(c.now), testenv.WithConfig(func(cfg *server.Config) {
		cfg.Ticks = c.now
		cfg.Cost = account.Cost{Memory: 2048, Time: 1, Threads: 1} // some milliseconds, beside which the rest is little
	}))
	ann := newMember(t, site.SetUpPerson("Ann"))
	bob := newMember(t, site.AddPerson("Bob"))
	room := ann.create(ann.owns())
	blob := uploadAs(t, site, ann.Token, make([]byte, 5000))
	used := site.Invite()
	if s, e := site.Post(wire.PathSignup, "", wire.SignUp{Token: used, Name: "Cid", Password: testenv.Password}, nil); e != nil {
		t.Fatal(s, e)
	}
	none := site.Invite()
	none = "aaaa" + none[4:]
	post := func(path string, p any, want int) func() {
		return func() {
			c.pass(15 * time.Minute)
			if s, e := site.Post(path, "", p, nil); s != want {
				t.Fatalf("%s: %d %v", path, s, e)
			}
		}
	}
	get := func(path string) func() {
		return func() {
			c.pass(time.Second)
			if s, e := site.Do("GET", path, bob.Token, "", nil, nil); s != 404 {
				t.Fatalf("%s: %d %v", path, s, e)
			}
		}
	}
	log := func(id wire.RoomID) func() {
		return func() {
			c.pass(time.Second)
			if _, err := testenv.Try(bob.Socket, wire.RoomLog, wire.ReadLog{Room: id}); wire.CodeOf(err) != wire.NotFound {
				t.Fatal(err)
			}
		}
	}
	long := wire.SignIn{Name: "Ann", Password: "wrong password"}
	for _, tt := range []struct {
		name        string
		n           int
		there, none func()
	}{
		{"a name", 20, post(wire.PathSignin, long, 404), post(wire.PathSignin, wire.SignIn{Name: "Eve", Password: "wrong password"}, 404)},
		{"a name that cannot be one", 20, post(wire.PathSignin, long, 404), post(wire.PathSignin, wire.SignIn{Name: "\x00", Password: "wrong password"}, 404)},
		{"a link", 40, post(wire.PathLink, wire.Link{Token: used}, 404), post(wire.PathLink, wire.Link{Token: none}, 404)},
		{"a link to sign up with", 40, post(wire.PathSignup, wire.SignUp{Token: used, Name: "Eve", Password: testenv.Password}, 404),
			post(wire.PathSignup, wire.SignUp{Token: none, Name: "Eve", Password: testenv.Password}, 404)},
		{"a file", 40, get(wire.PathBlob + blob.String()), get(wire.PathBlob + wire.NewBlobID().String())},
		{"a room", 40, log(room), log(wire.NewRoomID())},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var said []string
			for range 5 {
				a, b := inTurns(trials(t, tt.n), tt.there, tt.none)
				said = append(said, fmt.Sprintf("%v and %v", a, b))
				if float64(a) < 1.5*float64(b) && float64(b) < 1.5*float64(a) {
					t.Log(said)
					return
				}
			}
			t.Errorf("what is there and not for one, and what is not there, differ: %v", said)
		})
	}
}

// inTurns returns the medians of n trials of each.
func inTurns(n int, a, b func()) (time.Duration, time.Duration) {
	var of [2][]time.Duration
	for i := range 2 * n {
		began := time.Now()
		if i%2 == 0 {
			a()
		} else {
			b()
		}
		of[i%2] = append(of[i%2], time.Since(began))
	}
	slices.Sort(of[0])
	slices.Sort(of[1])
	return of[0][n/2], of[1][n/2]
}
