package wire

import "slices"

// Paths of the plain HTTP interface. Bodies are JSON, refusals are Error with a
// matching status. docs/spec/sign-in.md.
const (
	PathSite     = "/api/v1/site"     // GET → Site
	PathLink     = "/api/v1/link"     // POST Link → LinkInfo: what a set-up or invite link is good for
	PathSetup    = "/api/v1/setup"    // POST SignUp with Org → SignedIn
	PathSignup   = "/api/v1/signup"   // POST SignUp → SignedIn
	PathSignin   = "/api/v1/signin"   // POST SignIn → SignedIn
	PathReset    = "/api/v1/reset"    // POST Reset → SignedIn: a new password, by a link that an administrator made
	PathSignout  = "/api/v1/signout"  // POST, with the session
	PathSession  = "/api/v1/session"  // GET → SignedIn without Token: who the cookie belongs to
	PathPassword = "/api/v1/password" // POST ChangePassword → PasswordChange, with the session of an active device
	PathProve    = "/api/v1/prove"    // POST Prove → SignedIn, with the session, a locked one too
	PathSocket   = "/api/v1/socket"   // WebSocket, with the session
	PathBlobs    = "/api/v1/blobs"    // POST NewBlob → BlobState
	PathBlob     = "/api/v1/blobs/"   // + id: PUT ?offset=N, GET (with Range), DELETE; GET …/state → BlobState
	PathSetUpUI  = "/setup"           // + #token: the page that a set-up link opens
	PathJoinUI   = "/join"            // + #token: the page that an invite opens; the token stays out of logs
	PathResetUI  = "/reset"           // + #token: the page that a link for a new password opens
	Subprotocol  = "veche.v1"         // of the socket
	CookieName   = "__Host-veche"     // over https
	CookieLocal  = "veche-local"      // over http on localhost, where __Host- is not to be had
	CookieKnown  = "-known"           // after either name: somebody was signed in here once; stays at sign-out
	MIMEBlob     = "application/vnd.veche.sealed"
)

// Site is what anybody may know of an installation before signing in.
type Site struct {
	Org     string `json:"org"`     // empty until set up
	Ready   bool   `json:"ready"`   // false until the first person exists
	Version string `json:"version"` // of the server
}

// Link carries the secret part of a link: to set up, to come in, or to a new
// password.
type Link struct {
	Token string `json:"token"`
}

// LinkInfo says what a link is good for. An unknown, used or expired link is
// NotFound, whichever it was.
type LinkInfo struct {
	Kind string `json:"kind"` // "setup", "invite" or "reset"
	Org  string `json:"org"`
	Name string `json:"name,omitempty"` // reset: whose password
}

// SignUp makes an account from a link. The first device's statement follows
// over the socket: until it is published the session may do nothing else.
type SignUp struct {
	Token    string `json:"token"`
	Org      string `json:"org,omitempty"` // set-up only
	Name     string `json:"name"`
	Password string `json:"password"`
	Device   string `json:"device"` // what the person will call this device, e.g. "Firefox on Linux"
	Cookie   bool   `json:"cookie,omitempty"`
}

// SignIn opens a session of a new device for an account that exists; or with
// Again one of a device that the site has lost, if it has.
type SignIn struct {
	Name     string `json:"name"`
	Password string `json:"password"`
	Device   string `json:"device"`
	Cookie   bool   `json:"cookie,omitempty"` // true: the session is set as a cookie and Token stays empty
	Again    *Again `json:"again,omitempty"`
}

// Again is a device of the account that was let in, and that a restored site may
// not know any more. docs/spec/restore.md.
type Again struct {
	Device DeviceID `json:"device"`
	Key    []byte   `json:"key"`    // Ed25519 public key of its leaves
	Unlock []byte   `json:"unlock"` // HPKE public key to which the vault's key is sealed
	Proof  []byte   `json:"proof"`  // signature of AgainProof with Key
}

// AgainProof returns what a device signs with the key of its leaves to show that
// it holds it. The label is no beginning of anything that MLS signs: that begins
// with the length of its own label (RFC 9420 §5.1.2).
func AgainProof(account AccountID, device DeviceID) []byte {
	return slices.Concat([]byte("veche sign-in again v1\x00"), account[:], device[:])
}

// Reset gives an account another password by a link that an administrator made,
// and opens a session of a new device, as SignIn does. It opens nothing that is
// sealed: the device waits to be let in like any other.
//
// Keep is a device of that account whose session, which may be locked, the request
// shows: it stays, and no other is made.
type Reset struct {
	Token    string   `json:"token"`
	Password string   `json:"password"` // the new one
	Device   string   `json:"device"`
	Keep     DeviceID `json:"keep,omitzero"`
	Cookie   bool     `json:"cookie,omitempty"`
}

// ChangePassword changes the password of the account. A wrong Old is NotFound and
// counts as a failed sign-in; a New that is easily guessed is Guessable.
type ChangePassword struct {
	Old string `json:"old"`
	New string `json:"new"`
}

// Prove shows the account's password once more, for what asks for it, and unlocks
// a session that an administrator has ended or that was as old as one may be. A
// wrong one is NotFound and counts as a failed sign-in.
type Prove struct {
	Password string   `json:"password"`
	Device   DeviceID `json:"device,omitzero"` // whose session it must be, where given: else Unauthenticated
}

// PasswordHow says in which way a password moved on.
type PasswordHow string

const (
	PasswordChanged PasswordHow = "changed" // by who knew the old one
	PasswordReset   PasswordHow = "reset"   // by a link of an administrator
	PasswordLink    PasswordHow = "link"    // it did not yet: an administrator made a link
)

// PasswordChange is the last that happened to an account's password.
type PasswordChange struct {
	How    PasswordHow `cbor:"how" json:"how"`
	Time   Millis      `cbor:"time" json:"time"`
	Device DeviceID    `cbor:"device,omitzero" json:"device,omitzero"` // that did it; zero for a link that was made
}

// SignedIn is the session that was opened.
type SignedIn struct {
	Account AccountID   `json:"account"`
	Device  DeviceID    `json:"device"`
	State   DeviceState `json:"state"`
	Name    string      `json:"name"`
	Token   string      `json:"token,omitempty"`
}

// NewBlob asks for room for a file of Size sealed bytes.
type NewBlob struct {
	Size int64 `json:"size"`
}

// BlobState says how much of a file the server holds. An upload goes on at
// Have; it is complete when Have is Size.
type BlobState struct {
	Blob BlobID `json:"blob"`
	Size int64  `json:"size"`
	Have int64  `json:"have"`
}
