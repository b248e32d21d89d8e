package rig

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
)

// A Person has a profile on this machine.
type Person struct {
	Name    string
	Profile string
	site    *Site
}

// A Message is what veche send and veche read say of one.
type Message struct {
	Room   string `json:"room"`
	Seq    int64  `json:"seq"`
	ID     string `json:"id"`
	From   string `json:"from"`
	Time   string `json:"time"`
	Text   string `json:"text"`
	Kind   string `json:"kind"`
	Queued bool   `json:"queued"`
	Files  []struct {
		Name string `json:"name"`
		Size int64  `json:"size"`
		Type string `json:"type"`
	} `json:"files"`
}

// SignIn signs the administrator, or anybody who has an account, in on their
// first device.
func (s *Site) SignIn(name string) *Person {
	s.tb.Helper()
	return s.login(name, s.URL)
}

// Invite makes an account for a new person and signs them in.
func (s *Site) Invite(name string) *Person {
	s.tb.Helper()
	r := s.Run(s.tb.Context(), "invite", "--data", s.Data, "--json")
	var invite struct{ Link string }
	if err := json.Unmarshal([]byte(r.Out), &invite); err != nil || invite.Link == "" {
		s.tb.Fatalf("veche invite: %v (%v)", r, err)
	}
	_, token, _ := strings.Cut(invite.Link, "/join#")
	return s.login(name, s.URL+"/join#"+token)
}

func (s *Site) login(name, link string) *Person {
	s.tb.Helper()
	p := &Person{Name: name, Profile: filepath.Join(s.Dir, "profile-"+name), site: s}
	p.Must("login", link, "--name", name, "--password-file", s.passwordFile(), "--ca", filepath.Join(s.Data, "tls", "ca.pem"), "--json")
	return p
}

// Run runs one of the person's commands.
func (p *Person) Run(ctx context.Context, args ...string) Result {
	return p.site.Run(ctx, append(args, "--profile", p.Profile)...)
}

// Must runs a command that has to succeed and returns what it wrote.
func (p *Person) Must(args ...string) string {
	p.site.tb.Helper()
	r := p.Run(p.site.tb.Context(), args...)
	if r.Code != 0 {
		p.site.tb.Fatalf("%s: veche %s: %v", p.Name, strings.Join(args, " "), r)
	}
	return r.Out
}

// Send sends a text and returns where it stands.
func (p *Person) Send(room, text string, more ...string) Message {
	p.site.tb.Helper()
	return p.decode(p.Must(append([]string{"send", room, text, "--json"}, more...)...))[0]
}

// Read returns all that the person sees in a room.
func (p *Person) Read(room string, more ...string) []Message {
	p.site.tb.Helper()
	return p.decode(p.Must(append([]string{"read", room, "--json"}, more...)...))
}

func (p *Person) decode(out string) []Message {
	p.site.tb.Helper()
	m, err := Messages(out)
	if err != nil {
		p.site.tb.Fatalf("%s: %v in %q", p.Name, err, out)
	}
	return m
}

// Messages reads what send and read write, one object per line.
func Messages(out string) ([]Message, error) {
	var all []Message
	for line := range strings.Lines(out) {
		var m Message
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}
