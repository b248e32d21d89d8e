package group

import (
	"fmt"
	"slices"

	"github.com/veche-im/veche/mls"
)

const (
	storeVersion = 1
	maxSecret    = 4 << 10 // bytes of one stored secret
	maxPSKs      = 256     // of one Welcome
)

// takeSecret reads a secret from an encoding.
func takeSecret(d *mls.Decoder) Secret { return Secret{b: d.Bytes(maxSecret)} }

type saved struct{}

var _ = slices.Clone[[]int]

// Load reads a group that Save wrote. It returns mls.ErrStorage if there is none
// or it is damaged.
func Load(s mls.Storage) (*Group, error) { return nil, fmt.Errorf("not yet") }

// Save writes what has changed since the group was loaded or last saved: one
// small row after Seal or Open, a path after a commit. If the transaction
// behind s fails to commit, the group must be loaded again.
func (g *Group) Save(s mls.Storage) error { return fmt.Errorf("not yet") }
