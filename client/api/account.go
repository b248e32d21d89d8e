package api

import "github.com/veche-im/veche/wire"

// Phase is where this device stands. The front end shows a screen for each.
type Phase string

const (
	PhaseFresh     Phase = "fresh"     // nobody is signed in here
	PhaseEnrolling Phase = "enrolling" // signed in, waits to be let in: by recovery key or by another device
	PhaseReady     Phase = "ready"
	PhaseEnded     Phase = "ended" // the session was revoked or the device removed; local data is still here
)

// Connection is how it stands with the server. Front ends show anything but
// online only after 3 seconds.
type Connection string

const (
	Online     Connection = "online"
	Connecting Connection = "connecting"
	NoServer   Connection = "offline"
)

// Status is the core's overall state.
type Status struct {
	Phase      Phase          `json:"phase"`
	Connection Connection     `json:"connection"`
	Since      wire.Millis    `json:"since"` // when Connection last changed
	Org        string         `json:"org"`
	Me         *Person        `json:"me,omitempty"`
	Device     *wire.DeviceID `json:"device,omitempty"`
	Code       string         `json:"code,omitempty"` // while enrolling: compare on the other device
	Admin      bool           `json:"admin"`
	MaxFile    int64          `json:"maxFile"` // plain bytes of one file
	Calls      bool           `json:"calls"`   // this site has calls
	Version    string         `json:"version"`
}

// Person is somebody at this site.
type Person struct {
	ID     wire.AccountID `json:"id"`
	Name   string         `json:"name"`
	Me     bool           `json:"me"`
	Online bool           `json:"online"`
	Admin  bool           `json:"admin"`
	Shut   bool           `json:"shut"` // by an administrator: nobody can sign in to the account
}

// Site is what anybody may know of the server.
type Site struct {
	Org     string `json:"org"`
	Ready   bool   `json:"ready"` // false: it wants to be set up with its link
	Version string `json:"version"`
}

// Link is the token of a link: to set up, to come in, to a new password (the
// part after #).
type Link struct {
	Token string `json:"token"`
}
type LinkInfo struct {
	Kind string `json:"kind"` // "setup", "invite" or "reset"
	Org  string `json:"org"`
	Name string `json:"name,omitempty"` // reset: whose password
}

// SignUp makes an account from a link and enrols this first device. Org is
// given with a set-up link.
type SignUp struct {
	Token    string `json:"token"`
	Org      string `json:"org,omitempty"`
	Name     string `json:"name"`
	Password string `json:"password"`
	Device   string `json:"device"`
}

// SignIn signs this device in to an account that exists. A device that is not
// the account's first then waits in PhaseEnrolling. In PhaseEnded, under the name
// of who was signed in here, the former session goes on where the server lets it:
// after an administrator has signed the person out, or opened a shut account.
type SignIn struct {
	Name     string `json:"name"`
	Password string `json:"password"`
	Device   string `json:"device"`
}

// ResetPassword gives the account of a reset link another password and signs
// this device in to it. Guessable and bad_input name the field "password".
type ResetPassword struct {
	Token    string `json:"token"`
	Password string `json:"password"`
	Device   string `json:"device"`
}

// ChangePassword changes the account's password. A wrong old one is not_found
// with the field "old", as often as signing in may fail; of the new one guessable
// and bad_input name the field "new".
type ChangePassword struct {
	Old string `json:"old"`
	New string `json:"new"`
}

// Proof shows the person's password once more, for what asks for it: for ten
// minutes those commands go on. A wrong one is not_found.
type Proof struct {
	Password string `json:"password"`
}

// SetAdmin makes a person an administrator, or no longer one.
type SetAdmin struct {
	Person wire.AccountID `json:"person"`
	Admin  bool           `json:"admin"`
}

// ResetLink is a link by which a person gives themselves another password.
type ResetLink struct {
	Link    string      `json:"link"` // whole URL, if the core knows its server's
	Token   string      `json:"token"`
	Expires wire.Millis `json:"expires"`
}

// Entered says how sign-up or sign-in went on. RecoveryKey is set when this was
// the account's first device: show it once, it is kept nowhere.
type Entered struct {
	Phase       Phase  `json:"phase"`
	RecoveryKey string `json:"recoveryKey,omitempty"`
}
type RecoveryKey struct {
	Key string `json:"key"`
}

// SignOutHow says what to leave behind.
type SignOutHow struct {
	Forget bool `json:"forget"` // also remove this device from the account and wipe what is stored here
}

// Device is one of the person's own installations.
type Device struct {
	ID      wire.DeviceID    `json:"id"`
	Name    string           `json:"name"`
	State   wire.DeviceState `json:"state"`
	This    bool             `json:"this"`
	Online  bool             `json:"online"`
	Created wire.Millis      `json:"created"`
	Seen    wire.Millis      `json:"seen"`
	Code    string           `json:"code,omitempty"` // pending: compare before approving
}
type Devices struct {
	Devices []Device `json:"devices"`
}
type DeviceRef struct {
	Device wire.DeviceID `json:"device"`
}
type People struct {
	People []Person `json:"people"` // sorted by name
}
type Invite struct {
	Link    string      `json:"link"` // whole URL, if the core knows its server's
	Token   string      `json:"token"`
	Expires wire.Millis `json:"expires"`
}

// NoticeCode names something that the person must be told.
type NoticeCode string

const (
	NoticeRollback  NoticeCode = "identity_rollback" // the server showed an older list of somebody's devices
	NoticeReset     NoticeCode = "identity_reset"    // … or a different one
	NoticeBadDevice NoticeCode = "unlisted_device"   // a device without a valid statement was put into a room; refused
	NoticeForked    NoticeCode = "log_forked"        // the server changed, dropped or reordered a room's history
	NoticeSplit     NoticeCode = "split_view"        // another member was shown a different history
	NoticeReplay    NoticeCode = "replay"            // an entry was shown twice
	NoticeBadCommit NoticeCode = "bad_commit"        // a change of members against the room's policy; refused
	NoticeOldEpoch  NoticeCode = "old_epoch"         // the server offered a group older than one that we left
	NoticeNewDevice NoticeCode = "new_device"        // a device of mine was added
	NoticePassword  NoticeCode = "password_changed"  // my password was changed on another device
	NoticeNewPass   NoticeCode = "password_reset"    // … with a link that an administrator made
	NoticeResetLink NoticeCode = "reset_link"        // an administrator made a link for a new password of mine
	NoticeStorage   NoticeCode = "storage"           // the browser may delete what is stored here

	NoticeRestored NoticeCode = "site_restored"  // the site was restored from a backup: what was said since is on devices alone
	NoticeLives    NoticeCode = "restored_often" // … again within an hour: nothing is sent until that has passed
	NoticeBack     NoticeCode = "members_back"   // people are in a room whom this device has not seen come in
	NoticeMissing  NoticeCode = "members_lost"   // … or lost that they were added

	NoticeRefused    NoticeCode = "devices_refused" // the server does not take the account's list of devices, which this one has signed or kept
	NoticeNoRecovery NoticeCode = "no_recovery_key" // nobody has seen the account's recovery key: make a new one
)

// Notice is something that the person must be told, once.
type Notice struct {
	ID      string          `json:"id"` // the same trouble keeps its id
	Code    NoticeCode      `json:"code"`
	Severe  bool            `json:"severe"` // an attack or a broken server, not news
	Room    *wire.RoomID    `json:"room,omitempty"`
	Account *wire.AccountID `json:"account,omitempty"`
	Time    wire.Millis     `json:"time"`
	Text    string          `json:"text"` // English detail, for a "details" fold
}
type Notices struct {
	Notices []Notice `json:"notices"`
}
type NoticeRef struct {
	ID string `json:"id"`
}

var (
	GetStatus   = Command[None, Status]{"status", "The core's overall state."}
	GetSite     = Command[None, Site]{"site", "What the server says of itself before sign-in."}
	CheckLink   = Command[Link, LinkInfo]{"checkLink", "What a set-up or invite link is good for."}
	DoSignUp    = Command[SignUp, Entered]{"signUp", "Make an account from a link, with this as its first device."}
	DoSignIn    = Command[SignIn, Entered]{"signIn", "Sign in with name and password."}
	DoReset     = Command[ResetPassword, Entered]{"resetPassword", "Give an account another password by its link, and sign in."}
	NewPassword = Command[ChangePassword, None]{"changePassword", "Change the password; other devices stay signed in."}
	Prove       = Command[Proof, None]{"prove", "Show the password again, for what asks for it."}
	Recover     = Command[RecoveryKey, Entered]{"recover", "While enrolling: let this device in with the recovery key."}
	SignOut     = Command[SignOutHow, None]{"signOut", "End this device's session; with forget, wipe it too."}
	NewRecovery = Command[None, RecoveryKey]{"newRecoveryKey", "Replace the recovery key; the old one stops working."}

	ListDevices   = Command[None, Devices]{"devices", "The person's own devices, pending ones first."}
	ApproveDevice = Command[DeviceRef, None]{"approveDevice", "Let a pending device in, after comparing its code."}
	RejectDevice  = Command[DeviceRef, None]{"rejectDevice", "Turn a pending device away."}
	RevokeDevice  = Command[DeviceRef, None]{"revokeDevice", "Remove a device from the account and from all rooms."}

	ListPeople    = Command[None, People]{"people", "Everybody at this site."}
	CreateInvite  = Command[None, Invite]{"createInvite", "Administrators: a link for one new person."}
	MakeReset     = Command[PersonRef, ResetLink]{"makeResetLink", "Administrators: a link for a new password; ends the one before. Asks for proof."}
	ShutAccount   = Command[PersonRef, None]{"shutAccount", "Administrators: nobody can sign in to the account any more. Asks for proof."}
	OpenAccount   = Command[PersonRef, None]{"openAccount", "Administrators: open a shut account again. Asks for proof."}
	EndSessions   = Command[PersonRef, None]{"endSessions", "Administrators: have all devices of a person show the password again. Asks for proof."}
	MakeAdmin     = Command[SetAdmin, None]{"setAdmin", "Administrators: make a person one, or no longer one. Asks for proof."}
	ListNotices   = Command[None, Notices]{"notices", "What the person has been told and not dismissed."}
	DismissNotice = Command[NoticeRef, None]{"dismissNotice", "The person has seen a notice."}

	OnStatus  = Event[Status]{"status", "The overall state changed."}
	OnPeople  = Event[People]{"people", "People that are new or changed."}
	OnDevices = Event[Devices]{"devices", "The person's devices changed: the whole list."}
	OnNotice  = Event[Notice]{"notice", "Something that the person must be told."}
)
