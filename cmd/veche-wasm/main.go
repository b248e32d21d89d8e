//go:build js

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"syscall/js"

	"github.com/veche-im/veche/client"
	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/link/wsjs"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/client/store/browser"
	"github.com/veche-im/veche/e2ee/seal"
	"github.com/veche-im/veche/internal/promise"
)

// version is set by the build.
var version = "dev"

func main() {
	b := bridge{js.Global().Get("veche")}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	started, err := b.run(context.Background(), log)
	if err == nil {
		return
	}
	log.Error("the core has ended", "err", err)
	if !started {
		// The worker answers every call with this; ending would make it try the
		// same again and again.
		b.fail(failureOf(err))
		select {}
	}
}

// bridge is globalThis.veche: see Bridge in web/src/core/worker/go.ts.
type bridge struct{ js js.Value }

// run works until the client ends. started says whether calls were taken.
func (b bridge) run(ctx context.Context, log *slog.Logger) (started bool, err error) {
	db, err := b.open(ctx)
	if err != nil {
		return false, err
	}
	defer db.Close()
	link, err := wsjs.New(b.js.Get("origin").String())
	if err != nil {
		return false, err
	}
	defer link.Close()
	shelf := shelf{b.js.Get("blobs")}
	c, err := client.New(client.Config{
		Link: link, Store: db, Emit: b.event,
		OpenSource: shelf.open, CreateSink: shelf.create,
		Version: version, Log: log,
	})
	if err != nil {
		return false, err
	}
	b.hearKept(ctx, db, log)
	b.takeCalls(ctx, c.Mux())
	return true, c.Run(ctx)
}

// open opens the store under the key that the worker unsealed, and overwrites
// the worker's copy of it.
func (b bridge) open(ctx context.Context) (*store.DB, error) {
	raw := b.js.Get("key")
	bytes := promise.Bytes(raw)
	raw.Call("fill", 0)
	key, err := seal.ParseKey(bytes)
	clear(bytes)
	if err != nil {
		return nil, err
	}
	return browser.Open(ctx, key)
}

// takeCalls lets calls come. Each is answered in a goroutine of its own,
// because the event loop waits for the function that takes it.
func (b bridge) takeCalls(ctx context.Context, mux *api.Mux) {
	b.js.Call("ready", js.FuncOf(func(_ js.Value, args []js.Value) any {
		n, name, params := args[0].Int(), args[1].String(), json.RawMessage(args[2].String())
		go func() {
			result, failure := mux.Call(ctx, name, params)
			if failure != nil {
				b.js.Call("answer", n, false, encode(failure))
				return
			}
			b.js.Call("answer", n, true, string(result))
		}()
		return nil
	}))
}

func (b bridge) event(name string, value any) { b.js.Call("event", name, encode(value)) }

func (b bridge) fail(f *api.Failure) { b.js.Call("fail", encode(f)) }

// hearKept waits for the browser's answer to whether it will keep what is
// stored. If it may delete it, the person is told once.
func (b bridge) hearKept(ctx context.Context, db *store.DB, log *slog.Logger) {
	b.js.Set("kept", js.FuncOf(func(_ js.Value, args []js.Value) any {
		if args[0].Bool() {
			return nil
		}
		go func() {
			if err := b.noticeStorage(ctx, db); err != nil {
				log.Error("notice about storage", "err", err)
			}
		}()
		return nil
	}))
}

func encode(v any) string {
	text, err := api.Encode(v)
	if err != nil {
		panic(fmt.Sprintf("encode %T: %v", v, err)) // the types of package api all encode
	}
	return string(text)
}

// failureOf says why the core could not start.
func failureOf(err error) *api.Failure {
	for _, e := range []struct {
		err  error
		code api.FailureCode
	}{
		{store.ErrKey, api.Damaged},
		{store.ErrDamaged, api.Damaged},
		{store.ErrFull, api.NoSpace},
		{store.ErrBusy, api.Busy},
		{store.ErrNewer, api.Unsupported},
	} {
		if errors.Is(err, e.err) {
			return api.Fail(e.code, "%v", err)
		}
	}
	return api.FailureOf(err)
}
