// Package session serves one connected device at a time: it reads requests,
// hands each to the method it names, and writes answers and events.
//
// Requests that change something are carried out one after the other, in the
// order of arrival; reading ones run beside them, a few at a time. An answer is
// never dropped; events are, when the device does not take them, and one
// catch_up stands for all that were. Nobody waits for a slow reader.
// docs/spec/framing.md.
//
// A session knows no noun: methods are registered in a Table, one small file
// for each noun or method, with the action that authz judges.
package session
