// Package server is a whole Veche server: it opens the data directory, makes
// what is missing in it, and serves a site until its context ends.
//
// New does all that can go wrong (ports, directory, lock, schema) and changes
// nothing if something does; Run serves. The rules of each noun are in the
// packages below. docs/ARCHITECTURE.md, docs/admin.
package server
