package doors

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/veche-im/veche/internal/statement"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/server"
	"github.com/veche-im/veche/server/admin"
	"github.com/veche-im/veche/wire"
)

// limits are the numbers of wire that are caps, each with what is done at the cap
// and one beyond it through a real door; or where else that is tested.
var limits = map[string]struct {
	try  func(t *testing.T, s *caps)
	seen string // "file TestName"
}{
	"MaxRequest":      {try: capFrame},
	"MaxResponse":     {seen: "server/session/session_test.go TestErrorsTellThePeerNoMoreThanTheirCode"},
	"MaxSmall":        {try: capParameters(wire.SessionPing.Name, wire.MaxSmall)},
	"MaxKeys":         {try: capParameters(wire.KeyUpload.Name, wire.MaxKeys)},
	"MaxMessage":      {try: capMessage},
	"MaxCommit":       {try: capCommit},
	"MaxVault":        {try: capVault},
	"MaxChain":        {try: capParameters(wire.DeviceRepublish.Name, wire.MaxChain+wire.MaxVault+wire.MaxSmall)},
	"MaxJSON":         {try: capJSON},
	"MaxDevices":      {try: capDevices},
	"MaxLeaves":       {seen: "server/room/large_test.go TestARoomHas5000DevicesAtMost"},
	"MaxKeyPackages":  {try: capKeyPackages},
	"MaxLogPage":      {try: capLogPage},
	"MaxLogPageBytes": {try: capLogPageBytes},
	"MaxPeoplePage":   {seen: "server/directory/directory_test.go TestPagesHaveEverybodyOnce"},
	"MaxBlobsInEntry": {try: capBlobsInEntry},
	"MaxCursors":      {seen: "server/room/progress_test.go TestACrowdHearsOfNoCursors"},
	"MaxName":         {try: capName},
	"MinPassword":     {try: capPassword},
	"MaxPassword":     {try: capPassword},
	"Piece":           {seen: "e2ee/seal/file_test.go TestAFileComesBackInAnyOrder"},
	"MaxBlob":         {try: capBlob},
	"MaxQuota":        {try: capQuota},
	"MaxOutstanding":  {seen: "server/session/session_test.go TestServerStopsReadingWhenTooManyWait"},
	"MaxQueue":        {seen: "server/session/session_test.go TestOverflowingEventsBecomeOneCatchUp"},
	"maxNesting":      {try: capNesting},
	"maxElements":     {try: capElements},
	"maxPairs":        {try: capPairs},
	"Heartbeat":       {seen: "server/session/session_test.go TestQuietPeerIsAskedAndKeptWhileItAnswers"},
	"SetupTTL":        {seen: "test/doors/caps_test.go capSetUpLink"},
	"InviteTTL":       {try: capInvite},
	"ResetTTL":        {try: capReset},
	"ProofTTL":        {try: capProof},
	"BlobTTL":         {seen: "server/blob/blob_test.go TestSweepTakesWhatNothingHolds"},
	"TypingTTL":       {seen: "client/upkeep_test.go TestTypingAndPresence"},
	"MaxSDP":          {try: capSDP},
	"MaxCallSealed":   {try: capCallSealed},
	"MaxCallViews":    {try: capCallViews},
	"MaxCallBrief":    {seen: "server/call/call_test.go TestNewsIsPaced"},
	"MaxRing":         {try: capRing},
	"MaxParticipants": {seen: "server/call/call_test.go TestACallHasASize"},
}

// caps is a site with a room of two.
type caps struct {
	*testenv.Site
	clock    *clock
	ann, bob *member
	room     wire.RoomID
}

// Every cap holds exactly where wire says: the most goes through, one more does
// not. A number without a row fails.
func TestEveryCapHoldsWhereItSays(t *testing.T) {
	names := constants(t, "../../wire/limits.go")
	for _, n := range constants(t, "../../wire/call.go") {
		if strings.HasPrefix(n, "Max") {
			names = append(names, n)
		}
	}
	if len(names) < 30 {
		t.Fatalf("only %d numbers were found", len(names))
	}
	s := &caps{clock: &clock{at: time.Now()}}
	s.Site = testenv.Start(t, testenv.WithClock(s.clock.now), testenv.WithConfig(func(c *server.Config) { c.Ticks = s.clock.now }))
	capSetUpLink(t, s)
	s.ann, s.bob = newMember(t, s.SetUpPerson("Ann")), newMember(t, s.AddPerson("Bob"))
	s.room = s.ann.create(s.ann.owns(), s.bob)
	seen := map[string]bool{}
	for _, n := range names {
		seen[n] = true
		l, ok := limits[n]
		switch {
		case !ok:
			t.Errorf("%s has no row", n)
		case l.try == nil:
			tested(t, n, l.seen)
		default:
			t.Run(n, func(t *testing.T) {
				s.clock.pass(time.Minute)
				l.try(t, s)
			})
		}
	}
	for n := range limits {
		if !seen[n] {
			t.Errorf("%s has a row, and is no number of wire", n)
		}
	}
}

// tested fails unless the test is where the table says.
func tested(t *testing.T, name, where string) {
	t.Helper()
	file, test, _ := strings.Cut(where, " ")
	b, err := os.ReadFile("../../" + file)
	if err != nil || !bytes.Contains(b, []byte("func "+test+"(")) {
		t.Errorf("%s: %s has no %s", name, file, test)
	}
}

// constants lists the constants of a source file.
func constants(t *testing.T, file string) (names []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			if v := s.(*ast.ValueSpec); v.Type == nil {
				for _, n := range v.Names {
					names = append(names, n.Name)
				}
			}
		}
	}
	return names
}

// told asks a method with parameters as they are, and returns the code; it is
// "gone" where the connection ended.
func told(t *testing.T, c *testenv.Socket, method string, params []byte) wire.Code {
	t.Helper()
	f, ok := <-c.Ask(method, params)
	switch {
	case !ok:
		return "gone"
	case f.Error != nil:
		return f.Error.Code
	}
	return ""
}

// at fails unless the cap itself and one more are told what they should be.
func at(t *testing.T, what string, got, want wire.Code) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func filled(n int) []byte { return bytes.Repeat([]byte{0}, n) }

// byteString is CBOR of exactly n bytes.
func byteString(n int) []byte {
	b := append([]byte{0x5a}, binary.BigEndian.AppendUint32(nil, uint32(n-5))...) // four bytes of length
	return append(b, filled(n-5)...)
}

func capFrame(t *testing.T, s *caps) {
	c := s.ann.Connect()
	frame := func(n int) []byte { // the parameters that make a frame of n bytes
		body := byteString(n - 64)
		b, err := wire.Encode(wire.Frame{ID: 1, Method: "no.such", Body: body})
		if err != nil {
			t.Fatal(err)
		}
		return byteString(len(body) + n - len(b))
	}
	at(t, "the largest frame", told(t, c, "no.such", frame(wire.MaxRequest)), wire.BadRequest)
	c = s.ann.Connect()
	at(t, "one byte more", told(t, c, "no.such", frame(wire.MaxRequest+1)), "gone")
	if status := c.Ended(); status != websocket.StatusMessageTooBig {
		t.Errorf("it ended with %d", status)
	}
}

func capParameters(method string, most int) func(t *testing.T, s *caps) {
	return func(t *testing.T, s *caps) {
		at(t, "the most", told(t, s.ann.Socket, method, byteString(most)), wire.BadRequest)
		at(t, "one byte more", told(t, s.ann.Socket, method, byteString(most+1)), wire.TooLarge)
	}
}

func (s *caps) message(size int) wire.SendMessage {
	s.ann.sync(s.room)
	return s.ann.sealingText(s.room, filled(size))
}

func capMessage(t *testing.T, s *caps) {
	over := len(s.message(1000).Body) - 1000
	if over < 100 {
		over += 2 // lengths beyond 16,383 take four bytes instead of two
	}
	for size := wire.MaxMessage - over - 8; ; size++ {
		p := s.message(size)
		_, err := testenv.Try(s.ann.Socket, wire.RoomSend, p)
		switch n := len(p.Body); {
		case n < wire.MaxMessage:
		case n == wire.MaxMessage:
			at(t, "the largest message", wire.CodeOf(err), "")
		default:
			at(t, "one byte more", wire.CodeOf(err), wire.TooLarge)
			return
		}
	}
}

func capCommit(t *testing.T, s *caps) {
	for n, want := range map[int]wire.Code{wire.MaxCommit: wire.BadRequest, wire.MaxCommit + 1: wire.TooLarge} {
		_, err := testenv.Try(s.ann.Socket, wire.RoomCommit, wire.SendCommit{Room: s.room, GroupUpload: wire.GroupUpload{Client: wire.NewClientID(), Commit: filled(n)}})
		at(t, fmt.Sprintf("a commit of %d bytes", n), wire.CodeOf(err), want)
	}
}

func capVault(t *testing.T, s *caps) {
	p := s.bob.Root.Sign(func(*statement.Body) {})
	for n, want := range []wire.Code{wire.MaxVault: "", wire.MaxVault + 1: wire.BadRequest} {
		if n < wire.MaxVault {
			continue
		}
		p.Vault = filled(n)
		_, err := testenv.Try(s.bob.Socket, wire.DevicePublish, p)
		at(t, fmt.Sprintf("a vault of %d bytes", n), wire.CodeOf(err), want)
		if err == nil {
			s.bob.Root.Took(p)
			p = s.bob.Root.Sign(func(*statement.Body) {})
		}
	}
}

func capJSON(t *testing.T, s *caps) {
	for n, want := range map[int]int{wire.MaxJSON: 404, wire.MaxJSON + 1: 413} {
		body := []byte(`{"token":"x"}`)
		body = append(body, bytes.Repeat([]byte{' '}, n-len(body))...)
		if got, _ := s.Do("POST", wire.PathLink, "", "application/json", body, nil); got != want {
			t.Errorf("%d bytes: %d, want %d", n, got, want)
		}
	}
}

func capDevices(t *testing.T, s *caps) {
	cid := s.AddPerson("Cid")
	for range wire.MaxDevices - 1 {
		cid.AddDevice().Socket.Close()
	}
	ses := s.SignIn("Cid")
	k := testenv.NewKeys(t)
	c := ses.Connect()
	testenv.Call(c, wire.DeviceEnrol, k.Enrol())
	_, err := testenv.Try(cid.Socket, wire.DevicePublish, cid.Root.Sign(testenv.Add(ses.Device, k)))
	at(t, "one device more", wire.CodeOf(err), wire.BadRequest)
}

func capKeyPackages(t *testing.T, s *caps) {
	packages := func(n int) (p wire.UploadKeys) {
		for range n {
			kp := s.ann.keyPackage()
			b, err := mls.Marshal(&kp)
			if err != nil {
				t.Fatal(err)
			}
			p.Packages = append(p.Packages, b)
		}
		return p
	}
	all := packages(wire.MaxKeyPackages + 1)
	_, err := testenv.Try(s.ann.Socket, wire.KeyUpload, all)
	at(t, "one more at once", wire.CodeOf(err), wire.TooLarge)
	if c := testenv.Call(s.ann.Socket, wire.KeyCounted, wire.None{}); c.Count != 0 {
		t.Errorf("%d of them were kept", c.Count)
	}
	last := wire.UploadKeys{Packages: all.Packages[wire.MaxKeyPackages:]}
	all.Packages = all.Packages[:wire.MaxKeyPackages]
	if c, err := testenv.Try(s.ann.Socket, wire.KeyUpload, all); err != nil || c.Count != wire.MaxKeyPackages {
		t.Errorf("the most: %+v %v", c, err)
	}
	_, err = testenv.Try(s.ann.Socket, wire.KeyUpload, last)
	at(t, "one more later", wire.CodeOf(err), wire.TooLarge)
}

func capLogPage(t *testing.T, s *caps) {
	room := s.ann.create(s.ann.owns())
	for range wire.MaxLogPage {
		s.clock.pass(100 * time.Millisecond)
		testenv.Call(s.ann.Socket, wire.RoomSend, s.ann.sealing(room))
	}
	for _, limit := range []int{0, wire.MaxLogPage, wire.MaxLogPage + 1, 1 << 40} {
		page := testenv.Call(s.ann.Socket, wire.RoomLog, wire.ReadLog{Room: room, Limit: limit})
		if len(page.Entries) != wire.MaxLogPage || page.Seq != wire.MaxLogPage+1 {
			t.Errorf("asked for %d of %d there came %d", limit, page.Seq, len(page.Entries))
		}
	}
	if page := testenv.Call(s.ann.Socket, wire.RoomLog, wire.ReadLog{Room: room, Limit: wire.MaxLogPage - 1}); len(page.Entries) != wire.MaxLogPage-1 {
		t.Errorf("asked for one less there came %d", len(page.Entries))
	}
}

func capLogPageBytes(t *testing.T, s *caps) {
	room := s.ann.create(s.ann.owns())
	most := 0
	for sum := 0; sum <= wire.MaxLogPageBytes; {
		s.clock.pass(100 * time.Millisecond)
		p := s.ann.sealingText(room, filled(wire.MaxMessage-500))
		testenv.Call(s.ann.Socket, wire.RoomSend, p)
		if sum += len(p.Body); sum <= wire.MaxLogPageBytes {
			most++
		}
	}
	if page := testenv.Call(s.ann.Socket, wire.RoomLog, wire.ReadLog{Room: room, After: 1}); len(page.Entries) != most || int(page.Seq) != most+2 {
		t.Errorf("%d messages of %d came, %d fit", len(page.Entries), page.Seq-1, most)
	}
}

func capBlobsInEntry(t *testing.T, s *caps) {
	var blobs []wire.BlobID
	for range wire.MaxBlobsInEntry + 1 {
		blobs = append(blobs, uploadAs(t, s.Site, s.ann.Token, []byte("x")))
	}
	for n, want := range map[int]wire.Code{wire.MaxBlobsInEntry: "", wire.MaxBlobsInEntry + 1: wire.TooLarge} {
		s.ann.sync(s.room)
		_, err := testenv.Try(s.ann.Socket, wire.RoomSend, s.ann.sealing(s.room, blobs[:n]...))
		at(t, fmt.Sprintf("%d files", n), wire.CodeOf(err), want)
	}
}

func (s *caps) signUp(t *testing.T, name, password string) int {
	t.Helper()
	got, _ := s.Post(wire.PathSignup, "", wire.SignUp{Token: s.Invite(), Name: name, Password: password, Device: "x"}, nil)
	return got
}

func capName(t *testing.T, s *caps) {
	for _, letter := range []string{"x", "ж", "語"} {
		if got := s.signUp(t, strings.Repeat(letter, wire.MaxName), testenv.Password); got != 200 {
			t.Errorf("the longest name: %d", got)
		}
		if got := s.signUp(t, strings.Repeat(letter, wire.MaxName+1), testenv.Password); got != 400 {
			t.Errorf("one letter more: %d", got)
		}
	}
}

func capPassword(t *testing.T, s *caps) {
	for n, want := range map[int]int{wire.MinPassword - 1: 400, wire.MinPassword: 200, wire.MaxPassword: 200, wire.MaxPassword + 1: 400} {
		if got := s.signUp(t, fmt.Sprintf("With %d %d", n, time.Now().UnixNano()), unguessable(n)); got != want {
			t.Errorf("a password of %d: %d, want %d", n, got, want)
		}
	}
}

// unguessable is a password of n characters.
func unguessable(n int) string {
	rnd := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = "bdfhkmprtvxz"[rnd.IntN(12)]
	}
	return string(b)
}

func (s *caps) newBlob(size int64) int {
	got, _ := s.Post(wire.PathBlobs, s.bob.Token, wire.NewBlob{Size: size}, nil)
	return got
}

func capBlob(t *testing.T, s *caps) {
	for size, want := range map[int64]int{0: 400, 1: 200, wire.MaxBlob: 200, wire.MaxBlob + 1: 413} {
		if got := s.newBlob(size); got != want {
			t.Errorf("a file of %d bytes: %d, want %d", size, got, want)
		}
	}
}

func capQuota(t *testing.T, _ *caps) {
	const quota = 1 << 20
	site := testenv.Start(t, testenv.WithConfig(func(c *server.Config) { c.Quota = quota }))
	ann := site.SetUpPerson("Ann")
	ask := func(size int64) int {
		s, _ := site.Post(wire.PathBlobs, ann.Token, wire.NewBlob{Size: size}, nil)
		return s
	}
	if got := ask(quota + 1); got != 507 {
		t.Errorf("one byte over: %d", got)
	}
	if got := ask(quota - 4096); got != 200 {
		t.Errorf("all but the last block: %d", got)
	}
	if got := ask(4097); got != 507 {
		t.Errorf("a byte more than is left: %d", got)
	}
	if got := ask(1); got != 200 {
		t.Errorf("the last block: %d", got)
	}
	if got := ask(1); got != 507 {
		t.Errorf("one more: %d", got)
	}
	if ann.Hello.Max.Quota != quota || wire.MaxQuota != 20<<30 {
		t.Errorf("devices are told %+v", ann.Hello.Max)
	}
}

// lists is CBOR of lists in lists, n deep.
func lists(n int) []byte { return append(bytes.Repeat([]byte{0x81}, n), 0) }

func capNesting(t *testing.T, s *caps) {
	deepest := 0
	for n := 1; n < 40; n++ {
		c := s.ann.Connect()
		if told(t, c, wire.SessionPing.Name, lists(n)) == "gone" {
			if status := c.Ended(); status != websocket.StatusPolicyViolation {
				t.Errorf("it ended with %d", status)
			}
			break
		}
		deepest = n
		c.Close()
	}
	if deepest != 15 { // inside of the frame
		t.Errorf("%d levels are read", deepest)
	}
}

func capElements(t *testing.T, s *caps) {
	for n, want := range map[int]wire.Code{65536: wire.BadRequest, 65537: "gone"} {
		head := []byte{0x9a, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
		at(t, fmt.Sprintf("%d elements", n), told(t, s.ann.Connect(), wire.RoomCommit.Name, append(head, filled(n)...)), want)
	}
}

func capPairs(t *testing.T, s *caps) {
	for n, want := range map[int]wire.Code{4096: wire.BadRequest, 4097: "gone"} {
		b := []byte{0xb9, byte(n >> 8), byte(n)}
		for i := range n {
			b = append(b, 0x19, byte(i>>8), byte(i), 0)
		}
		at(t, fmt.Sprintf("%d pairs", n), told(t, s.ann.Connect(), wire.RoomCommit.Name, b), want)
	}
}

// The set-up link is looked at before anybody uses it.
func capSetUpLink(t *testing.T, s *caps) {
	look := func() int {
		got, _ := s.Post(wire.PathLink, "", wire.Link{Token: s.SetupToken()}, nil)
		return got
	}
	s.clock.pass(wire.SetupTTL - time.Second)
	if got := look(); got != 200 {
		t.Errorf("a second before its end: %d", got)
	}
	s.clock.pass(time.Second)
	if got := look(); got != 404 {
		t.Errorf("at its end: %d", got)
	}
	s.Restart() // which makes another
}

func capInvite(t *testing.T, s *caps) { s.linkEnds(t, s.Invite(), wire.InviteTTL) }

// linkEnds holds a link that was made just now to its term.
func (s *caps) linkEnds(t *testing.T, token string, after time.Duration) {
	t.Helper()
	look := func() int {
		got, _ := s.Post(wire.PathLink, "", wire.Link{Token: token}, nil)
		return got
	}
	s.clock.pass(after - time.Second)
	if got := look(); got != 200 {
		t.Errorf("a second before its end: %d", got)
	}
	s.clock.pass(time.Second)
	if got := look(); got != 404 {
		t.Errorf("at its end: %d", got)
	}
}

func capReset(t *testing.T, s *caps) {
	l, err := admin.MakeReset(t.Context(), s.Dir, "Bob")
	if err != nil {
		t.Fatal(err)
	}
	_, token, _ := strings.Cut(l.Link, "#")
	s.linkEnds(t, token, wire.ResetTTL)
}

func capProof(t *testing.T, s *caps) {
	reset := func() wire.Code {
		_, err := testenv.Try(s.ann.Socket, wire.AccountReset, wire.AccountRef{Account: s.bob.Session.Account})
		return wire.CodeOf(err)
	}
	s.clock.pass(time.Minute)
	if got, e := s.Post(wire.PathProve, s.ann.Token, wire.Prove{Password: testenv.Password}, nil); e != nil {
		t.Fatal(got, e)
	}
	s.clock.pass(wire.ProofTTL - time.Second)
	at(t, "a second before its end", reset(), "")
	s.clock.pass(time.Second)
	at(t, "at its end", reset(), wire.ProveFirst)
}

func capSDP(t *testing.T, s *caps) {
	for n, want := range map[int]wire.Code{wire.MaxSDP: "", wire.MaxSDP + 1: wire.TooLarge} {
		_, err := testenv.Try(s.ann.Socket, wire.CallTry, wire.CallTest{Offer: strings.Repeat("x", n)})
		at(t, fmt.Sprintf("an offer of %d bytes", n), wire.CodeOf(err), want)
	}
}

// inCall has ann in a call of the room.
func (s *caps) inCall() wire.CallID {
	s.clock.pass(time.Minute)
	id := testenv.Call(s.ann.Socket, wire.CallStart, wire.StartCall{Room: s.room, Call: wire.NewCallID()}).Call
	testenv.Call(s.ann.Socket, wire.CallJoin, wire.JoinCall{Call: id, Offer: "offer"})
	return id
}

func capCallSealed(t *testing.T, s *caps) {
	id := s.inCall()
	for n, want := range map[int]wire.Code{wire.MaxCallSealed: "", wire.MaxCallSealed + 1: wire.TooLarge} {
		for _, m := range []wire.Method[wire.CallSealed, wire.None]{wire.CallState, wire.CallSay} {
			_, err := testenv.Try(s.ann.Socket, m, wire.CallSealed{Call: id, Body: filled(n)})
			at(t, fmt.Sprintf("%s of %d bytes", m.Name, n), wire.CodeOf(err), want)
		}
	}
}

func capCallViews(t *testing.T, s *caps) {
	id := s.inCall()
	for n, want := range map[int]wire.Code{wire.MaxCallViews: "", wire.MaxCallViews + 1: wire.TooLarge} {
		p := wire.ViewCall{Call: id}
		for i := range n {
			p.Views = append(p.Views, wire.CallView{Mid: fmt.Sprint(i), Source: wire.Camera})
		}
		_, err := testenv.Try(s.ann.Socket, wire.CallViewing, p)
		at(t, fmt.Sprintf("%d views", n), wire.CodeOf(err), want)
	}
}

func capRing(t *testing.T, s *caps) {
	id := s.inCall()
	for n, want := range map[int]wire.Code{wire.MaxRing: "", wire.MaxRing + 1: wire.TooLarge} {
		p := wire.RingCall{Call: id}
		for range n {
			p.Accounts = append(p.Accounts, s.bob.Session.Account)
		}
		_, err := testenv.Try(s.ann.Socket, wire.CallRing, p)
		at(t, fmt.Sprintf("%d people", n), wire.CodeOf(err), want)
	}
}
