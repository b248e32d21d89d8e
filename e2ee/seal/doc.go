// Package seal encrypts what does not travel as an MLS message: files in pieces,
// and the secrets in a device's own database.
//
// A file has a key of its own, made by the Sealer, so that no (key, nonce) pair
// meets two plaintexts. Pieces can be opened one by one and in any order, since
// each is bound to its place and to whether it is the last. Natively they go
// through crypto/aes, in a browser through WebCrypto, whose AES is fast and
// constant-time where Go's is not.
//
// Whatever fails to open is ErrOpen; what precisely was wrong is not told.
// docs/spec/sealing.md.
package seal

import "errors"

// ErrOpen is the answer to everything that does not open: a wrong key, a piece
// or box that was changed, cut or moved.
var ErrOpen = errors.New("does not open")
