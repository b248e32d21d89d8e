package mls

import (
	"crypto/ed25519"
	"slices"
	"strconv"
	"syscall/js"
)

const (
	// fewSignatures are verified sooner here than the browser answers.
	fewSignatures = 16
	// atOnce is how many the browser is asked for at a time: enough to keep its
	// threads busy, while other work of the page may go on in between.
	atOnce = 128
)

// firstInvalid returns the position of the first signature that is not valid, or
// -1. A browser that can do so verifies many Ed25519 signatures in several
// threads; where it does not find all of them valid they are looked at again
// here, so that the answer is the same everywhere; and it is not asked about those
// on which implementations are known to differ. The goroutine sleeps meanwhile, and
// so must not be one that JavaScript waits for.
func firstInvalid(scheme SignatureScheme, list []signed) int {
	crypto := js.Global().Get("crypto")
	able := scheme == Ed25519 && len(list) >= fewSignatures && crypto.Truthy() && crypto.Get("subtle").Truthy()
	for from := 0; from < len(list); from += atOnce {
		part := list[from:min(from+atOnce, len(list))]
		if able && !slices.ContainsFunc(part, odd) && browserAccepts(crypto.Get("subtle"), part) {
			continue
		}
		able = false // a browser without Ed25519, or a bad signature, and then this is the last part
		if at := firstOf(scheme, part); at >= 0 {
			return from + at
		}
	}
	return -1
}

// odd reports whether one implementation might take an Ed25519 signature that
// another does not, which would split a group: a key or point that is not in its
// shortest form, a scalar that is not reduced (RFC 8032 §5.1.7), or a key of small
// order, under which signatures without a private key can be made. No honest
// signer makes any of these. What is odd is judged by our own code alone.
func odd(s signed) bool {
	return len(s.key) != ed25519.PublicKeySize || len(s.signature) != ed25519.SignatureSize ||
		!below(s.key, &fieldPrime, 0x7f) || !below(s.signature[:32], &fieldPrime, 0x7f) ||
		!below(s.signature[32:], &groupOrder, 0xff) || smallOrder(s.key)
}

// fieldPrime is 2^255-19, groupOrder the order of the base point, little-endian.
var (
	fieldPrime = [32]byte{
		0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
	}
	groupOrder = [32]byte{0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 31: 0x10}
)

// below reports whether a number of 32 bytes, of whose last one only the bits in
// top count, is smaller than another. Both are public.
func below(n []byte, limit *[32]byte, top byte) bool {
	for i := 31; i >= 0; i-- {
		b := n[i]
		if i == 31 {
			b &= top
		}
		if b != limit[i] {
			return b < limit[i]
		}
	}
	return false
}

// smallOrder reports whether a key in its shortest form is one of the points whose
// order divides 8: y is 0, 1, -1 or one of the two of order 8.
func smallOrder(key []byte) bool {
	y := [32]byte(key)
	y[31] &= 0x7f
	minusOne := fieldPrime
	minusOne[0]--
	return y == [32]byte{} || y == [32]byte{1} || y == minusOne || y == eighth || y == otherEighth
}

// The y of the points of order 8, one of which is minus the other.
var (
	eighth = [32]byte{0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a}
	otherEighth = [32]byte{0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05}
)

// browserAccepts reports whether the browser finds all signatures valid. Each
// step into JavaScript costs some microseconds, so there are as few as possible.
func browserAccepts(subtle js.Value, list []signed) bool {
	pieces := toJS(list)
	raw, algorithm, uses := js.ValueOf("raw"), js.ValueOf("Ed25519"), js.ValueOf([]any{"verify"})
	imports := make([]any, len(list))
	for i := range imports {
		imports[i] = subtle.Call("importKey", raw, pieces.Index(3*i), algorithm, false, uses)
	}
	keys, ok := all(imports)
	if !ok {
		return false
	}
	answers := make([]any, len(list))
	for i := range answers {
		answers[i] = subtle.Call("verify", algorithm, keys.Index(i), pieces.Index(3*i+1), pieces.Index(3*i+2))
	}
	valid, ok := all(answers)
	return ok && valid.Call("every", js.Global().Get("Boolean")).Bool()
}

// all waits for promises and returns an array of what they were fulfilled with;
// ok is false if one was rejected.
func all(promises []any) (values js.Value, ok bool) {
	type outcome struct {
		values js.Value
		ok     bool
	}
	done := make(chan outcome, 1)
	settle := func(ok bool) js.Func {
		return js.FuncOf(func(_ js.Value, args []js.Value) any {
			done <- outcome{args[0], ok}
			return nil
		})
	}
	then, fail := settle(true), settle(false)
	defer then.Release()
	defer fail.Release()
	js.Global().Get("Promise").Call("all", promises).Call("then", then, fail)
	o := <-done
	return o.values, o.ok
}

// toJS returns an array of Uint8Arrays: key, signature and message of each. They
// are copied together, and taken apart by JavaScript alone.
func toJS(list []signed) js.Value {
	var bytes []byte
	ranges := []byte{'['}
	for i := range list {
		for _, b := range [][]byte{list[i].key, list[i].signature, list[i].message} {
			if len(ranges) > 1 {
				ranges = append(ranges, ',')
			}
			ranges = append(ranges, '[')
			ranges = strconv.AppendInt(ranges, int64(len(bytes)), 10)
			bytes = append(bytes, b...)
			ranges = append(ranges, ',')
			ranges = strconv.AppendInt(ranges, int64(len(bytes)), 10)
			ranges = append(ranges, ']')
		}
	}
	ranges = append(ranges, ']')
	array := js.Global().Get("Uint8Array").New(len(bytes))
	js.CopyBytesToJS(array, bytes)
	cut := js.Global().Get("Reflect").Get("apply").Call("bind", js.Undefined(), array.Get("subarray"), array)
	return js.Global().Get("JSON").Call("parse", string(ranges)).Call("map", cut)
}
