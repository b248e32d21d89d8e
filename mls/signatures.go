package mls

import "fmt"

// signed is a signature that has yet to be verified, and whose it is.
type signed struct {
	what                    string
	at                      int // leaf or key package, for the error; -1 if what says it all
	key, message, signature []byte
}

// signatures are verified together: a tree or a commit may bring a thousand of
// them, and that is most of the work in checking it.
type signatures struct {
	scheme SignatureScheme
	list   []signed
}

// add notes a signature over content under label.
func (s *signatures) add(what string, at int, key []byte, label string, content, signature []byte) {
	s.list = append(s.list, signed{what, at, key, SignContent(label, content), signature})
}

// verify returns ErrSignature, or ErrSignatureKey, with the name of the first
// signature that is not valid.
func (s *signatures) verify() error {
	at := firstInvalid(s.scheme, s.list)
	if at < 0 {
		return nil
	}
	bad := &s.list[at]
	err := s.scheme.Verify(bad.key, bad.message, bad.signature)
	if err == nil { // firstInvalid asks the same question
		err = ErrSignature
	}
	if bad.at < 0 {
		return fmt.Errorf("%s: %w", bad.what, err)
	}
	return fmt.Errorf("%s %d: %w", bad.what, bad.at, err)
}

func (s *signed) valid(scheme SignatureScheme) bool {
	return scheme.Verify(s.key, s.message, s.signature) == nil
}

// firstOf is firstInvalid one by one.
func firstOf(scheme SignatureScheme, list []signed) int {
	for i := range list {
		if !list[i].valid(scheme) {
			return i
		}
	}
	return -1
}
