package recover

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/veche-im/veche/test/rig"
)

// A site is backed up and restored by the commands that an administrator types,
// and its people go on by those that they type: whoever was taken out since is
// asked about, a device that came since is itself again, and in the end everybody
// has what was said, and nobody what they should not.
func TestPeopleGoOnAfterARestore(t *testing.T) {
	s := rig.New(t, "Testers", "Ann")
	ann, bob, mal := s.SignIn("Ann"), s.Invite("Bob"), s.Invite("Mal")
	room := strings.TrimSpace(ann.Must("room", "create", "council", "Bob", "Mal"))
	ann.Send(room, "first")
	bob.Read(room)
	mal.Read(room)
	backup := filepath.Join(s.Dir, "backup.veche")
	if r := s.Run(t.Context(), "backup", backup, "--data", s.Data); r.Code != 0 {
		t.Fatalf("veche backup: %v", r)
	}

	ann.Must("room", "remove", room, "Mal")
	ann.Send(room, "secret")
	key := filepath.Join(s.Dir, "key")
	var made struct{ RecoveryKey string }
	if err := json.Unmarshal([]byte(bob.Must("device", "new-recovery-key", "--json")), &made); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, []byte(made.RecoveryKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	laptop := *bob
	laptop.Profile += "-laptop"
	login := []string{"login", s.URL, "--name", "Bob", "--password-file", filepath.Join(s.Dir, "password"), "--ca", filepath.Join(s.Data, "tls", "ca.pem"), "--json"}
	laptop.Must(append(login, "--recovery-key-file", key)...)
	laptop.Send(room, "from the laptop")
	bob.Read(room)
	ann.Read(room)

	s.Stop()
	back := filepath.Join(s.Dir, "back")
	if r := s.Run(t.Context(), "restore", backup, "--data", back); r.Code != 0 {
		t.Fatalf("veche restore: %v", r)
	}
	s.Data = back
	s.Start()

	// Bob is back first. Nothing of his goes to Mal without his word.
	r := bob.Run(t.Context(), "send", room, "not for Mal", "--json")
	kept, err := rig.Messages(r.Out)
	if r.Code != 5 || err != nil || len(kept) != 1 || !kept[0].Queued || !strings.Contains(r.Err, "veche room accept "+kept[0].Room+" Mal\n") {
		t.Errorf("bob is told: %v", r)
	}
	// Nor is anything lost when he does not wait for a server that is away.
	s.Stop()
	interrupted(t, s, bob, room, "while it was away")
	s.Start()
	if r := bob.Run(t.Context(), "rooms"); r.Code != 0 || !strings.Contains(r.Out, "waits for you") {
		t.Errorf("bob's rooms: %v", r)
	}

	// The laptop is unknown to the site; signed in, it is what it was.
	if r := laptop.Run(t.Context(), "send", room, "said unknown"); r.Code != 4 {
		t.Errorf("the laptop is told: %v", r)
	}
	if out := laptop.Must(login...); !strings.Contains(out, `"ready"`) {
		t.Errorf("the laptop is signed in: %s", out)
	}
	laptop.Read(room)
	ann.Read(room) // she owns the room, so her device takes Mal out again
	want := []string{"first", "from the laptop", "not for Mal", "secret", "while it was away"}
	for deadline := time.Now().Add(time.Minute); ; {
		var all [][]string
		done := true
		for _, p := range []*rig.Person{&laptop, ann, bob} {
			got := texts(p, room)
			all = append(all, got)
			if p == &laptop { // it was not there at first
				got = append(got, "first", "secret")
			}
			// Whether this was stored before the laptop heard that it is unknown is
			// chance; either way it was told that it was not sent.
			got = slices.DeleteFunc(got, func(text string) bool { return text == "said unknown" })
			slices.Sort(got)
			done = done && slices.Equal(slices.Compact(got), want)
		}
		if done {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the laptop, ann and bob read %q", all)
		}
	}
	if got := texts(mal, room); !slices.Equal(got, []string{"first"}) {
		t.Errorf("mal reads %q", got)
	}
}

func texts(p *rig.Person, room string) (list []string) {
	for _, m := range p.Read(room) {
		if m.Kind == "message" || m.Kind == "" {
			list = append(list, m.Text)
		}
	}
	return list
}

// interrupted has somebody send a text, and press Ctrl-C once it is stored.
func interrupted(t *testing.T, s *rig.Site, p *rig.Person, room, text string) {
	t.Helper()
	cmd := exec.Command(s.Bin, "send", room, text, "--wait", "1h", "--profile", p.Profile)
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stuck := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer stuck.Stop()
	lines := bufio.NewScanner(said)
	for lines.Scan() && !strings.Contains(lines.Text(), "stored here") {
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var last string
	for lines.Scan() {
		last = lines.Text()
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.HasPrefix(last, "veche: interrupted (the message is stored here") {
		t.Errorf("interrupted, it ends with %d: %q", code, last)
	}
}
