package testenv

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"

	"github.com/veche-im/veche/wire"
)

// Session is a signed-in device.
type Session struct {
	wire.SignedIn
	Site *Site
}

// SetUp makes the first person, an administrator of "Testers".
func (s *Site) SetUp(name string) *Session {
	s.TB.Helper()
	return s.enter(wire.PathSetup, wire.SignUp{Token: s.Info.SetupToken, Org: "Testers", Name: name, Password: Password, Device: name + "'s device"})
}

// SignUp makes a further person, by an invite.
func (s *Site) SignUp(name string) *Session {
	s.TB.Helper()
	return s.enter(wire.PathSignup, wire.SignUp{Token: s.Invite(), Name: name, Password: Password, Device: name + "'s device"})
}

// SignIn signs a further device of a person in.
func (s *Site) SignIn(name string) *Session {
	s.TB.Helper()
	return s.enter(wire.PathSignin, wire.SignIn{Name: name, Password: Password, Device: name + "'s other device"})
}

func (s *Site) enter(path string, body any) *Session {
	s.TB.Helper()
	ses := &Session{Site: s}
	if status, e := s.Post(path, "", body, &ses.SignedIn); e != nil {
		s.TB.Fatalf("POST %s: %d %v", path, status, e)
	}
	return ses
}

// Post sends JSON and reads the answer into res, or returns the refusal.
func (s *Site) Post(path, token string, body, res any) (status int, refusal *wire.Error) {
	s.TB.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		s.TB.Fatal(err)
	}
	return s.Do("POST", path, token, "application/json", b, res)
}

// Do makes any request with the site's address before path. Res, if not nil, is
// filled from the JSON of a successful answer; *[]byte takes it as it is.
func (s *Site) Do(method, path, token, kind string, body []byte, res any) (status int, refusal *wire.Error) {
	s.TB.Helper()
	req, err := http.NewRequest(method, s.Info.HTTPS+path, bytes.NewReader(body))
	if err != nil {
		s.TB.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := s.HTTP.Do(req)
	if err != nil {
		s.TB.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.TB.Fatalf("%s %s: %v", method, path, err)
	}
	if resp.StatusCode >= 300 {
		e := new(wire.Error)
		if err := json.Unmarshal(b, e); err != nil {
			e.Text = string(b)
		}
		return resp.StatusCode, e
	}
	switch res := res.(type) {
	case nil:
	case *[]byte:
		*res = b
	default:
		if err := json.Unmarshal(b, res); err != nil {
			s.TB.Fatalf("%s %s answered %q: %v", method, path, b, err)
		}
	}
	return resp.StatusCode, nil
}
