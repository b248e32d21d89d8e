// Package httpapi is the server's plain HTTP: sign-in, the socket's beginning,
// file bytes, the web app's files and health. Types are in wire/http.go, rules
// in docs/spec/sign-in.md.
//
// Every route stands in one table with its action for authz, its cap and its
// types; every answer carries the security headers. It serves two doors with
// one handler each: https for everybody, and http for this machine, which
// browsers take for secure too.
package httpapi
