package seal

import (
	"context"
	"errors"
	"fmt"
	"syscall/js"
)

// errNoWebCrypto: the page is not a secure context.
var errNoWebCrypto = errors.New("seal: no WebCrypto here (not a secure context)")

// webCrypto seals pieces with the browser's AES, under a key that JavaScript
// cannot read back.
type webCrypto struct {
	api js.Value // SubtleCrypto
	key js.Value // CryptoKey
}

func newPiecer(ctx context.Context, k Key) (piecer, error) {
	c := js.Global().Get("crypto")
	if !c.Truthy() || !c.Get("subtle").Truthy() {
		return nil, errNoWebCrypto
	}
	api := c.Get("subtle")
	raw := toJS(k.Bytes())
	key, err := await(ctx, func() js.Value {
		return api.Call("importKey", "raw", raw, "AES-GCM", false, []any{"encrypt", "decrypt"})
	})
	raw.Call("fill", 0)
	if err != nil {
		return nil, fmt.Errorf("import a file key: %w", err)
	}
	return webCrypto{api, key}, nil
}

func (s webCrypto) seal(ctx context.Context, nonce, plain []byte) ([]byte, error) {
	sealed, err := await(ctx, func() js.Value {
		return s.api.Call("encrypt", params(nonce), s.key, toJS(plain))
	})
	if err != nil {
		return nil, err
	}
	return fromJS(sealed), nil
}

func (s webCrypto) open(ctx context.Context, nonce, sealed []byte) ([]byte, error) {
	plain, err := await(ctx, func() js.Value {
		return s.api.Call("decrypt", params(nonce), s.key, toJS(sealed))
	})
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, ErrOpen
	}
	return fromJS(plain), nil
}

func params(nonce []byte) map[string]any {
	return map[string]any{"name": "AES-GCM", "iv": toJS(nonce), "tagLength": PieceOverhead * 8}
}

// await starts a promise and waits for it. The goroutine sleeps, so that the
// page's other work goes on. If ctx ends first the promise is left to itself.
func await(ctx context.Context, start func() js.Value) (js.Value, error) {
	if err := ctx.Err(); err != nil {
		return js.Undefined(), err
	}
	type outcome struct {
		v   js.Value
		err error
	}
	done := make(chan outcome, 1)
	var then, fail js.Func
	release := func() { then.Release(); fail.Release() }
	first := func(args []js.Value) js.Value {
		if len(args) == 0 {
			return js.Undefined()
		}
		return args[0]
	}
	then = js.FuncOf(func(_ js.Value, args []js.Value) any {
		release()
		done <- outcome{v: first(args)}
		return nil
	})
	fail = js.FuncOf(func(_ js.Value, args []js.Value) any {
		release()
		done <- outcome{err: fmt.Errorf("WebCrypto: %s", js.Global().Get("String").Invoke(first(args)).String())}
		return nil
	})
	start().Call("then", then, fail)
	select {
	case o := <-done:
		return o.v, o.err
	case <-ctx.Done():
		return js.Undefined(), ctx.Err()
	}
}

func toJS(b []byte) js.Value {
	a := js.Global().Get("Uint8Array").New(len(b))
	js.CopyBytesToJS(a, b)
	return a
}

// fromJS copies an ArrayBuffer.
func fromJS(buffer js.Value) []byte {
	a := js.Global().Get("Uint8Array").New(buffer)
	b := make([]byte, a.Get("length").Int())
	js.CopyBytesToGo(b, a)
	return b
}
