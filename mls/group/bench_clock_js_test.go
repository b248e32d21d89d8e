package group

import (
	"syscall/js"
	"time"
)

// cpuTime is what Node has had of all cores so far, for us, for what it compiles
// of us, and for its WebCrypto.
func cpuTime() time.Duration {
	u := js.Global().Get("process").Call("cpuUsage")
	return time.Duration(u.Get("user").Int()+u.Get("system").Int()) * time.Microsecond
}
