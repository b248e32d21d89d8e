package limit

import "time"

// Class is what is counted together, and how often it may be done. Every method
// and every route names one.
type Class struct {
	Name    string // at most 40 bytes
	Account Rate   // by one account, all its devices together
	Device  Rate   // by one device
	Network Rate   // from one network, in which a whole company may sit
	Site    Rate   // by everybody; only of what is done without a session
}

// What devices ask over their connection. A hundred messages a second from one
// account, for as long as it likes, are within it.
var (
	// Ask is what reads little.
	Ask = &Class{Name: "ask", Account: perSecond(200, 20)}
	// Read is what reads pages of logs, lists and people.
	Read = &Class{Name: "read", Account: perSecond(200, 20)}
	// Send is a message.
	Send = &Class{Name: "send", Account: perSecond(200, 10)}
	// Note is what changes little: cursors, typing, what was joined.
	Note = &Class{Name: "note", Account: perSecond(200, 20)}
	// Change is what the server checks at length, or many hear of: commits,
	// rooms, statements.
	Change = &Class{Name: "change", Account: perSecond(50, 40)}
	// Keys is what uses up key packages of others.
	Keys = &Class{Name: "keys", Account: perSecond(20, 60)}
	// Meet is what is done in calls; package call bounds each thing by device.
	Meet = &Class{Name: "meet", Account: perSecond(100, 10)}
	// Invite makes a link by which somebody comes in.
	Invite = &Class{Name: "invite", Account: perSecond(20, 100)}
)

// What comes over plain HTTP. Behind a reverse proxy everybody is one network.
var (
	// Page is a file of the web app, and what says that the site lives.
	Page = &Class{Name: "page", Network: perSecond(1000, 20)}
	// Link asks what a link is good for: its token cannot be guessed.
	Link = &Class{Name: "link", Network: perSecond(50, 20), Site: perSecond(200, 20)}
	// Enter costs a password's hash. Failures have bounds of their own.
	Enter = &Class{Name: "enter", Network: perSecond(50, 60), Site: perSecond(100, 60)}
	// Password costs the same, and is asked by who has a session.
	Password = &Class{Name: "password", Account: Rate{2 * time.Second, 20}, Network: perSecond(50, 60)}
	// Connect is a connection of a device, or a question of one that has a
	// session: ten thousand of one network are back within half a minute.
	Connect = &Class{Name: "connect", Account: perSecond(20, 60), Network: perSecond(1000, 20)}
	// File is a piece of a file, or a question about one.
	File = &Class{Name: "file", Account: perSecond(100, 20), Network: perSecond(2000, 20)}
)

// What one device does in calls, of which each has a rate of its own.
var (
	CallStart = &Class{Name: "call start", Device: Rate{2 * time.Second, 5}}
	CallJoin  = &Class{Name: "call join", Device: Rate{2 * time.Second, 5}} // each costs a handshake
	CallOffer = &Class{Name: "call offer", Device: Rate{time.Second, 3}}
	CallView  = &Class{Name: "call view", Device: Rate{100 * time.Millisecond, 10}}
	CallState = &Class{Name: "call state", Device: Rate{500 * time.Millisecond, 4}}
	CallSay   = &Class{Name: "call say", Device: Rate{200 * time.Millisecond, 5}}
	CallRing  = &Class{Name: "call ring", Device: Rate{2 * time.Second, 5}}
	CallLead  = &Class{Name: "call lead", Device: Rate{500 * time.Millisecond, 10}}
	CallKnock = &Class{Name: "call knock", Device: Rate{5 * time.Second, 3}}
	CallTest  = &Class{Name: "call test", Device: Rate{5 * time.Second, 3}}
)
