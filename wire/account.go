package wire

// DeviceState says what a device may do.
type DeviceState string

const (
	DevicePending DeviceState = "pending" // signed in, not yet in the account's statement: may only enrol
	DeviceActive  DeviceState = "active"
	DeviceRevoked DeviceState = "revoked"
)

// Hello is the first event on every connection.
type Hello struct {
	Account AccountID   `cbor:"account"`
	Device  DeviceID    `cbor:"device"`
	State   DeviceState `cbor:"state"`
	Org     string      `cbor:"org"`
	Name    string      `cbor:"name"`
	Admin   bool        `cbor:"admin,omitempty"`
	Time    Millis      `cbor:"time"`
	Max     Caps        `cbor:"max"`
	Calls   bool        `cbor:"calls,omitempty"` // this site has them
	Life    Life        `cbor:"life"`

	Password PasswordChange `cbor:"password,omitzero"` // the last one; zero for a password that never changed
}

// Life is one history of a site: a restore from a backup begins another, and
// devices then expect rooms to stand further back; docs/spec/restore.md.
type Life struct {
	ID    LifeID `cbor:"id"`
	Began Millis `cbor:"began"` // of a restore; 0 for the first life
}

// Caps are the limits that an administrator may change.
type Caps struct {
	Blob  int64 `cbor:"blob"`  // sealed bytes of one file
	Quota int64 `cbor:"quota"` // sealed bytes of one account
}

// Person is somebody at this site, as the directory lists people.
type Person struct {
	Account AccountID `cbor:"account"`
	Name    string    `cbor:"name"`
	Admin   bool      `cbor:"admin,omitempty"`
	Online  bool      `cbor:"online,omitempty"`
	Shut    bool      `cbor:"shut,omitempty"` // by an administrator: nobody can sign in to it
	Head    int64     `cbor:"head"`           // seq of the newest statement, 0 if there is none yet
}

// ListPeople asks for a page of the directory, in the order of accounts.
type ListPeople struct {
	After AccountID `cbor:"after,omitzero"`
}
type People struct {
	People []Person `cbor:"people"`
	More   bool     `cbor:"more,omitempty"`
}

// SignedStatement is a statement as signed: the exact bytes and the root key's
// signature over them. e2ee/identity reads it; the server reads the same bytes
// to know an account's devices. docs/spec/identity.md.
type SignedStatement struct {
	Body      []byte `cbor:"body"`
	Signature []byte `cbor:"sig"`
}

// GetStatements asks for the statements of an account from a seq on.
type GetStatements struct {
	Of []StatementsFrom `cbor:"of"` // at most 100
}
type StatementsFrom struct {
	Account AccountID `cbor:"account"`
	From    int64     `cbor:"from"`
}
type Statements struct {
	Chains []Chain `cbor:"chains"` // in the order asked
	More   bool    `cbor:"more,omitempty"`
}
type Chain struct {
	Account    AccountID         `cbor:"account"`
	Statements []SignedStatement `cbor:"statements"`
}

// Publish appends a statement to the account's chain and replaces its vault, in
// one transaction. It enrols the first device, approves a further one, revokes
// one. Conflict means that another device was first: read and sign again.
type Publish struct {
	Statement SignedStatement `cbor:"statement"`
	Vault     []byte          `cbor:"vault"`
	Version   int64           `cbor:"version"` // of the vault that this one replaces, 0 for the first
}
type Published struct {
	Seq     int64       `cbor:"seq"`
	Version int64       `cbor:"version"`
	State   DeviceState `cbor:"state"` // of the asking device, after it
}

// Republish gives a site that was restored the statements of the account that it
// has lost, oldest first, with the vault of the newest, all in one transaction.
// They may list devices that the site does not know. Conflict means that another
// device was first, or that the chain goes on otherwise there.
type Republish struct {
	Statements []SignedStatement `cbor:"statements"`
	Vault      []byte            `cbor:"vault"`
	Version    int64             `cbor:"version"` // of the vault that this one replaces, 0 if there is none
}

// Enrol asks the person's other devices to take this one in.
type Enrol struct {
	Key    []byte `cbor:"key"`    // Ed25519 public key of the device's leaves
	Unlock []byte `cbor:"unlock"` // HPKE public key to which the vault's key is sealed
}

// Device is one installation as its own account sees it.
type Device struct {
	Device  DeviceID    `cbor:"device"`
	Name    string      `cbor:"name"`
	State   DeviceState `cbor:"state"`
	Key     []byte      `cbor:"key,omitempty"`    // pending devices that asked to enrol
	Unlock  []byte      `cbor:"unlock,omitempty"` //
	Created Millis      `cbor:"created"`
	Seen    Millis      `cbor:"seen"`
	Online  bool        `cbor:"online,omitempty"`
}
type Devices struct {
	Devices []Device `cbor:"devices"`
}

// DropDevice ends a pending device's session: "that was not me".
type DropDevice struct {
	Device DeviceID `cbor:"device"`
}

// Vault is the account's root key, sealed; e2ee/identity opens it.
type Vault struct {
	Vault   []byte `cbor:"vault"`
	Version int64  `cbor:"version"`
}

// UploadKeys adds one-time key packages and replaces the last-resort one.
type UploadKeys struct {
	Packages   [][]byte `cbor:"packages,omitempty"` // MLS KeyPackage, each of this device
	LastResort []byte   `cbor:"last,omitempty"`
}
type KeyCount struct {
	Count      int  `cbor:"count"` // one-time key packages left
	LastResort bool `cbor:"last"`
}

// ClaimKeys takes one key package of each active device of these accounts, or
// of Devices alone if given. One-time packages are handed out once; when they
// run out the last-resort one is given.
type ClaimKeys struct {
	Accounts []AccountID `cbor:"accounts"` // at most 1000
	Devices  []DeviceID  `cbor:"devices,omitempty"`
}
type ClaimedKeys struct {
	Packages []ClaimedKey `cbor:"packages"` // devices without any are missing
}
type ClaimedKey struct {
	Account AccountID `cbor:"account"`
	Device  DeviceID  `cbor:"device"`
	Package []byte    `cbor:"package"`
}

// Invite is a link for one new person.
type Invite struct {
	Token   string `cbor:"token"`
	Expires Millis `cbor:"expires"`
}

// Address is where people reach the site: who is on the server's own machine is
// at localhost, where a link leads nobody else.
type Address struct {
	URL string `cbor:"url"` // "https://veche.example:8443"
}

// AccountRef names the account that an administrator does something to.
type AccountRef struct {
	Account AccountID `cbor:"account"`
}

// ResetLink is a link by which a person gives themselves another password.
type ResetLink struct {
	Token   string `cbor:"token"`
	Expires Millis `cbor:"expires"`
}

// MakeAdmin makes a person an administrator, or no longer one.
type MakeAdmin struct {
	Account AccountID `cbor:"account"`
	Admin   bool      `cbor:"admin"`
}

// AccountChange says that an account moved on: its statement, its name, whether
// it is shut or an administrator's.
type AccountChange struct {
	Person Person `cbor:"person"`
}

// DeviceChange tells the account's own devices that its list of devices moved:
// somebody asks to enrol, was approved, revoked, or came online.
type DeviceChange struct {
	Device Device `cbor:"device"`
}

// Presence says that an account's first device came or its last one went. It is
// never stored.
type Presence struct {
	Account AccountID `cbor:"account"`
	Online  bool      `cbor:"online"`
}

// None is the parameter or result of a method that has none.
type None struct{}

var (
	DirectoryPeople     = Method[ListPeople, People]{"directory.people", MaxSmall}
	DirectoryStatements = Method[GetStatements, Statements]{"directory.statements", MaxSmall}
	DevicePublish       = Method[Publish, Published]{"device.publish", MaxVault + MaxSmall}
	DeviceRepublish     = Method[Republish, Published]{"device.republish", MaxChain + MaxVault + MaxSmall}
	DeviceEnrol         = Method[Enrol, None]{"device.enrol", MaxSmall}
	DeviceList          = Method[None, Devices]{"device.list", MaxSmall}
	DeviceDrop          = Method[DropDevice, None]{"device.drop", MaxSmall}
	DeviceVault         = Method[None, Vault]{"device.vault", MaxSmall}
	KeyUpload           = Method[UploadKeys, KeyCount]{"key.upload", MaxKeys}
	KeyCounted          = Method[None, KeyCount]{"key.count", MaxSmall}
	KeyClaim            = Method[ClaimKeys, ClaimedKeys]{"key.claim", MaxSmall * 4}
	InviteCreate        = Method[None, Invite]{"invite.create", MaxSmall}
	AccountReset        = Method[AccountRef, ResetLink]{"account.reset", MaxSmall}
	AccountShut         = Method[AccountRef, None]{"account.shut", MaxSmall}
	AccountOpen         = Method[AccountRef, None]{"account.open", MaxSmall}
	AccountSignOut      = Method[AccountRef, None]{"account.signout", MaxSmall}
	AccountAdmin        = Method[MakeAdmin, None]{"account.admin", MaxSmall}
	SessionPing         = Method[None, None]{"session.ping", MaxSmall}
	SiteAddress         = Method[None, Address]{"site.address", MaxSmall}

	OnHello    = Event[Hello]{"hello"}
	OnAccount  = Event[AccountChange]{"account"}
	OnDevice   = Event[DeviceChange]{"device"}
	OnPassword = Event[PasswordChange]{"password"}
	OnPresence = Event[Presence]{"presence"}
)
