package group

import "github.com/veche-im/veche/mls"

// Without ECDSA no suite of this build has its scheme: see mls/nist_js.go.

func newECDSA(mls.SignatureScheme) ([]byte, error) { return nil, mls.ErrSuite }

func publicECDSA(mls.SignatureScheme, []byte) ([]byte, error) { return nil, mls.ErrSuite }

func signECDSA(mls.SignatureScheme, []byte, []byte) ([]byte, error) { return nil, mls.ErrSuite }
