package mls

import "syscall/js"

const (
	// fewSignatures are verified sooner here than the browser answers.
	fewSignatures = 16
	// atOnce is how many the browser is asked for at a time: enough to keep its
	// threads busy, while other work of the page may go on in between.
	atOnce = 128
)

// firstInvalid returns the position of the first signature that is not valid, or
// -1. A browser that can do so verifies many Ed25519 signatures in several
// threads, each five times as fast as we can; what it does not find valid is
// looked at again here, so that the answer is the same everywhere. The
// goroutine sleeps meanwhile, and so must not be one that JavaScript waits for.
func firstInvalid(scheme SignatureScheme, list []signed) int {
	crypto := js.Global().Get("crypto")
	if scheme != Ed25519 || len(list) < fewSignatures || !crypto.Truthy() || !crypto.Get("subtle").Truthy() {
		return firstOf(scheme, list)
	}
	w := webCrypto{crypto.Get("subtle")}
	for from := 0; from < len(list); from += atOnce {
		part := list[from:min(from+atOnce, len(list))]
		valid, known := w.verify(part)
		for i := range part {
			if !valid[i] && !part[i].valid(scheme) {
				return from + i
			}
		}
		if !known { // no Ed25519 in this browser
			if at := firstOf(scheme, list[from+len(part):]); at >= 0 {
				return from + len(part) + at
			}
			return -1
		}
	}
	return -1
}

// webCrypto is the SubtleCrypto of a browser or of Node.
type webCrypto struct{ subtle js.Value }

// verify reports which signatures are valid; known is false if not one key could
// be imported.
func (w webCrypto) verify(list []signed) (valid []bool, known bool) {
	valid = make([]bool, len(list))
	parts := make([]struct{ key, message, signature js.Value }, len(list))
	imports := make([]any, len(list))
	for i := range list {
		parts[i].key, parts[i].message, parts[i].signature = toJS(list[i].key, list[i].message, list[i].signature)
		imports[i] = w.subtle.Call("importKey", "raw", parts[i].key, "Ed25519", false, []any{"verify"})
	}
	var asked []int
	var answers []any
	for i, key := range settled(imports) {
		if key.Truthy() {
			asked = append(asked, i)
			answers = append(answers, w.subtle.Call("verify", "Ed25519", key, parts[i].signature, parts[i].message))
		}
	}
	for i, answer := range settled(answers) {
		valid[asked[i]] = answer.Truthy()
	}
	return valid, len(asked) > 0
}

// settled waits for promises and returns what they were fulfilled with,
// undefined for those that were rejected.
func settled(promises []any) []js.Value {
	done := make(chan js.Value, 1)
	then := js.FuncOf(func(_ js.Value, args []js.Value) any {
		done <- args[0]
		return nil
	})
	defer then.Release()
	js.Global().Get("Promise").Call("allSettled", promises).Call("then", then)
	results := <-done
	out := make([]js.Value, len(promises))
	for i := range out {
		out[i] = results.Index(i).Get("value")
	}
	return out
}

// toJS copies three strings of bytes in one go.
func toJS(a, b, c []byte) (x, y, z js.Value) {
	all := make([]byte, 0, len(a)+len(b)+len(c))
	all = append(append(append(all, a...), b...), c...)
	v := js.Global().Get("Uint8Array").New(len(all))
	js.CopyBytesToJS(v, all)
	ab := len(a) + len(b)
	return v.Call("subarray", 0, len(a)), v.Call("subarray", len(a), ab), v.Call("subarray", ab, len(all))
}
