package mls

import (
	"errors"
	"fmt"
	"math"
	"testing"
)

func TestLimitsOfTreesEpochsAndKeys(t *testing.T) {
	full := newTree(X25519AES128)
	full.nodes = make([]*node, maxNodes)
	for i := range full.nodes {
		full.nodes[i] = &node{}
		if i%2 == 0 {
			full.nodes[i].leaf = &LeafNode{}
		}
	}
	if _, err := full.free(0); !errors.Is(err, ErrTreeSize) {
		t.Errorf("a leaf beside %d others: %v", maxLeaves, err)
	}
	last := &PublicGroup{tree: newTree(X25519AES128), context: GroupContext{Suite: X25519AES128, Epoch: math.MaxUint64}}
	if _, err := last.Draft(MemberSender(0), nil); !errors.Is(err, ErrEpochOverflow) {
		t.Errorf("an epoch after the last: %v", err)
	}
	seen := map[string]bool{}
	for i := range maxPSKs + 1 {
		err := onlyOnce(seen, PreSharedKeyID{Type: PSKExternal, ID: fmt.Append(nil, i)})
		if i < maxPSKs && err != nil || i == maxPSKs && !errors.Is(err, ErrPSK) {
			t.Errorf("pre-shared key %d: %v", i, err)
		}
	}
}
