package httpapi

import "context"

// working is under which a request's context holds whom to tell that the server
// works for it.
type working struct{}

// OnWork returns the context of a connection, of which f hears when a request of
// its is being worked for and when no longer: not while the request still waits
// for its peer to send a body. Over HTTP/2 there may be several at a time.
func OnWork(ctx context.Context, f func(yes bool)) context.Context {
	return context.WithValue(ctx, working{}, f)
}

// AtWork says that the server works for the request of ctx until done is called.
func AtWork(ctx context.Context) (done func()) {
	f, _ := ctx.Value(working{}).(func(bool))
	if f == nil {
		return func() {}
	}
	f(true)
	return func() { f(false) }
}
