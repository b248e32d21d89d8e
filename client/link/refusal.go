package link

import (
	"encoding/json"
	"fmt"

	"github.com/veche-im/veche/wire"
)

// Refusal is what an HTTP answer that is no success says, as a *wire.Error.
func Refusal(res *Response) error {
	var e wire.Error
	if json.Unmarshal(res.Body, &e) != nil || e.Code == "" {
		switch {
		case res.Status == 401:
			e.Code = wire.Unauthenticated
		case res.Status == 404:
			e.Code = wire.NotFound
		case res.Status == 405:
			return fmt.Errorf("%w: %w", ErrUnreachable, ErrNoDoor)
		case res.Status == 413:
			e.Code = wire.TooLarge
		case res.Status == 429 || res.Status == 503:
			e.Code = wire.Busy
		default:
			return fmt.Errorf("%w: it answers with status %d", ErrUnreachable, res.Status)
		}
	}
	if e.RetryAfter == 0 {
		e.RetryAfter = res.RetryAfter.Milliseconds()
	}
	return &e
}
