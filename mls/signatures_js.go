package mls

import (
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
// here, so that the answer is the same everywhere. The goroutine sleeps
// meanwhile, and so must not be one that JavaScript waits for.
func firstInvalid(scheme SignatureScheme, list []signed) int {
	crypto := js.Global().Get("crypto")
	able := scheme == Ed25519 && len(list) >= fewSignatures && crypto.Truthy() && crypto.Get("subtle").Truthy()
	for from := 0; from < len(list); from += atOnce {
		part := list[from:min(from+atOnce, len(list))]
		if able && browserAccepts(crypto.Get("subtle"), part) {
			continue
		}
		able = false // a browser without Ed25519, or a bad signature, and then this is the last part
		if at := firstOf(scheme, part); at >= 0 {
			return from + at
		}
	}
	return -1
}

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
