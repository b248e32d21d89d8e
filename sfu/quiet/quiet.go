// Package quiet gives the pion libraries a logger that speaks like the rest of the
// server: one event, at debug level, because what they report as warnings and errors
// are the doings of strangers, which an administrator cannot act upon.
package quiet

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// Loggers makes loggers over log.
func Loggers(log *slog.Logger) logging.LoggerFactory { return factory{log} }

type factory struct{ log *slog.Logger }

func (f factory) NewLogger(scope string) logging.LeveledLogger {
	return logger{f.log.With("from", scope)}
}

type logger struct{ log *slog.Logger }

func (l logger) say(format string, args ...any) {
	if !l.log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	l.log.Debug("library", "text", format)
}

// Traces tell of single packets: too much even for debugging.
func (logger) Trace(string)          {}
func (logger) Tracef(string, ...any) {}

func (l logger) Debug(s string)            { l.say(s) }
func (l logger) Debugf(f string, a ...any) { l.say(f, a...) }
func (l logger) Info(s string)             { l.say(s) }
func (l logger) Infof(f string, a ...any)  { l.say(f, a...) }
func (l logger) Warn(s string)             { l.say(s) }
func (l logger) Warnf(f string, a ...any)  { l.say(f, a...) }
func (l logger) Error(s string)            { l.say(s) }
func (l logger) Errorf(f string, a ...any) { l.say(f, a...) }
