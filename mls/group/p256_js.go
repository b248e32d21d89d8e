package group

import "github.com/veche-im/veche/mls"

// Without ECDSA no suite of this build has its scheme: see mls/p256_js.go.

func newP256() ([]byte, error) { return nil, mls.ErrSuite }

func publicP256([]byte) ([]byte, error) { return nil, mls.ErrSuite }

func signP256(_, _ []byte) ([]byte, error) { return nil, mls.ErrSuite }
