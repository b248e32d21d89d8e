package promise

import (
	"context"
	"syscall/js"
)

// Error is a promise that was rejected, or an exception.
type Error struct {
	Name string // e.g. "TypeError", "AbortError"
	Text string
}

func (e *Error) Error() string { return e.Name + ": " + e.Text }

// Await returns what p resolves to; a rejection is an *Error. When ctx ends
// first, p is left to itself and the error is ctx's.
func Await(ctx context.Context, p js.Value) (js.Value, error) {
	type outcome struct {
		value js.Value
		err   error
	}
	done := make(chan outcome, 1)
	var then, fail js.Func
	settle := func(o outcome) any {
		then.Release()
		fail.Release()
		done <- o
		return nil
	}
	then = js.FuncOf(func(_ js.Value, args []js.Value) any { return settle(outcome{value: first(args)}) })
	fail = js.FuncOf(func(_ js.Value, args []js.Value) any { return settle(outcome{err: errorOf(first(args))}) })
	p.Call("then", then, fail)
	select {
	case o := <-done:
		return o.value, o.err
	case <-ctx.Done():
		return js.Undefined(), ctx.Err()
	}
}

// Try calls f and returns an exception that it throws as an *Error.
func Try(f func() js.Value) (v js.Value, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case js.Error:
			err = errorOf(r.Value)
		default:
			panic(r)
		}
	}()
	return f(), nil
}

// Bytes copies an ArrayBuffer or a Uint8Array.
func Bytes(v js.Value) []byte {
	a := v
	if !v.InstanceOf(js.Global().Get("Uint8Array")) {
		a = js.Global().Get("Uint8Array").New(v)
	}
	b := make([]byte, a.Get("length").Int())
	js.CopyBytesToGo(b, a)
	return b
}

// Array copies b into a new Uint8Array.
func Array(b []byte) js.Value {
	a := js.Global().Get("Uint8Array").New(len(b))
	js.CopyBytesToJS(a, b)
	return a
}

func first(args []js.Value) js.Value {
	if len(args) == 0 {
		return js.Undefined()
	}
	return args[0]
}

func errorOf(v js.Value) error {
	if v.Type() != js.TypeObject {
		return &Error{"Error", js.Global().Get("String").Invoke(v).String()}
	}
	return &Error{v.Get("name").String(), v.Get("message").String()}
}
