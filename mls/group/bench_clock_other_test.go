//go:build !unix && !js

package group

import "time"

var started = time.Now()

// cpuTime is the time on the wall where there is nothing better.
func cpuTime() time.Duration { return time.Since(started) }
