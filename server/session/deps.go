package session

import (
	"log/slog"
	"time"

	"github.com/veche-im/veche/server/audit"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/wire"
)

// Deps is what the methods of every noun work with. The file of a noun has a
// type made of it, whose methods are the handlers, and a function that
// registers them:
//
//	type directory struct{ Deps }
//
//	func DirectoryMethods(t *Table, d Deps) {
//		h := directory{d}
//		Reads(t, wire.DirectoryPeople, authz.PeopleRead, limit.Read, h.people)
//	}
type Deps struct {
	DB   *db.DB
	Hub  *hub.Hub
	Log  *slog.Logger
	Now  func() time.Time
	Caps wire.Caps
	// Audit hears what is done to devices; it may be nil.
	Audit *audit.Log
	// Address is where people reach the site: "https://veche.example:8443".
	Address func() string
	// Calls says whether this site has calls.
	Calls bool
}
