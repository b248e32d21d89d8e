package group

import (
	"math/rand/v2"
	"slices"

	"github.com/veche-im/veche/mls"
)

// greaseValue returns one of the fifteen values that mean nothing and that every
// peer must ignore (RFC 9420 §13.5).
func greaseValue() uint16 { return 0x0a0a + 0x1010*uint16(rand.N(15)) }

// grease puts such values where they are allowed: one into each list of the
// capabilities but the versions, at a random place, and an extension with random
// data into each list. What it returns shares nothing with what it was given.
// Peers that cannot take them show it now and not when there is something new.
// Nothing about the values needs to be secret.
func grease(c mls.Capabilities, lists ...*mls.Extensions) mls.Capabilities {
	c.Suites = greased(c.Suites)
	c.Extensions = greased(c.Extensions)
	c.Proposals = greased(c.Proposals)
	c.Credentials = greased(c.Credentials)
	for _, list := range lists {
		x := mls.Extension{Type: mls.ExtensionType(greaseValue()), Data: randomBytes(rand.N(17))}
		if _, ok := list.Get(x.Type); ok {
			continue
		}
		*list = slices.Insert(slices.Clone(*list), rand.N(len(*list)+1), x)
		if !slices.Contains(c.Extensions, x.Type) {
			c.Extensions = append(c.Extensions, x.Type)
		}
	}
	return c
}

func greased[T ~uint16](list []T) []T {
	v := T(greaseValue())
	if slices.Contains(list, v) {
		return slices.Clone(list)
	}
	return slices.Insert(slices.Clone(list), rand.N(len(list)+1), v)
}
