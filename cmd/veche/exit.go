package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/veche-im/veche/client/api"
)

// The exit statuses. Scripts rely on them: none changes its meaning.
const (
	exitDone     = 0
	exitFailed   = 1 // refused, or went wrong
	exitUsage    = 2 // the command line makes no sense
	exitOffline  = 3 // the server cannot be reached; trying again later may help
	exitSignedIn = 4 // nobody is signed in here, or this device is not let in yet
	exitHeld     = 5 // what was written is kept here, and waits for the person to decide who may read it
)

// usageError says that the person asked for something that cannot be meant.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// status returns the exit status that says what err is.
func status(err error) int {
	var usage usageError
	var failure *api.Failure
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		return exitUsage
	case !errors.As(err, &failure):
		return exitFailed
	}
	switch failure.Code {
	case api.Offline:
		return exitOffline
	case api.SignedOut, api.NotEnrolled:
		return exitSignedIn
	case api.Held:
		return exitHeld
	default:
		return exitFailed
	}
}

// sentence says what happened in words for the person at the terminal.
func sentence(err error) string {
	var f *api.Failure
	if !errors.As(err, &f) {
		if errors.Is(err, context.Canceled) {
			return "interrupted"
		}
		return err.Error()
	}
	words, ok := failureWords[f.Code]
	if !ok {
		words = string(f.Code)
	}
	switch {
	case f.Code == api.SignedOut, f.Code == api.NotEnrolled:
		return words // all is said
	case f.Code == api.Occupied:
		return f.Text + ": " + words
	case f.Retry > 0: // all is said, better
		return strings.TrimSuffix(words, " later") + " " + soon(f.Retry)
	case strings.HasPrefix(f.Text, words):
		return f.Text
	case f.Field != "" && f.Text != "":
		return fmt.Sprintf("%s (%s: %s)", words, f.Field, f.Text)
	case f.Text != "":
		return fmt.Sprintf("%s (%s)", words, f.Text)
	default:
		return words
	}
}

// soon says in how many milliseconds something may be tried again.
func soon(ms int64) string {
	s := (ms + 999) / 1000
	if s <= 90 {
		return fmt.Sprintf("in %d s", s)
	}
	return fmt.Sprintf("in %d min", (s+59)/60)
}

var failureWords = map[api.FailureCode]string{
	api.BadInput:     "that cannot be accepted",
	api.NotFound:     "there is no such thing, or the name, password or link is wrong",
	api.NotAllowed:   "the rules of this conversation do not allow that",
	api.Taken:        "that name is taken",
	api.Offline:      "the server cannot be reached",
	api.SignedOut:    "nobody is signed in here: run veche login first",
	api.Occupied:     "sign in under that name, use another --profile, or remove what is stored here with veche logout --forget first",
	api.NotEnrolled:  "this device has not been let in yet: approve it on another device or use the recovery key",
	api.WrongKey:     "that recovery key does not open this account",
	api.TooLarge:     "too large",
	api.NoSpace:      "no space left",
	api.Busy:         "the server is busy: try again later",
	api.Attempts:     "too many wrong passwords: try again later",
	api.Cancelled:    "interrupted",
	api.Distrusted:   "refused, because the server or a member did what must not be; nothing was changed",
	api.Unopenable:   "it could not be opened",
	api.Unsupported:  "this version cannot do that",
	api.Held:         "the message is kept here, and leaves when you have decided who may read it",
	api.InternalFail: "something went wrong inside",
	api.Guessable:    "that password is too easy to guess",
	api.ProveFirst:   "your password is needed first",
	api.LastAdmin:    "the site needs an administrator, and this is the last one",
	api.Damaged:      "the profile's database is damaged",
	api.ServerHurt:   "a part of the server's database is damaged: other conversations work, its administrator has to mend this one",
}
