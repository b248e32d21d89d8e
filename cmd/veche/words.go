package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/veche-im/veche/client/api"
)

// pad is what stands before the words of a row: its number and time.
func pad(item api.Item) string { return fmt.Sprintf("%5d  %s  ", item.Seq, clock(item.Time)) }

// changed says in words what happened to a room.
func changed(c *api.Change) string {
	if c == nil {
		return "something changed"
	}
	who := strings.Join(c.Who, ", ")
	switch c.Kind {
	case api.ChangeCreated:
		return c.By + " made this conversation"
	case api.ChangeAdded:
		return c.By + " added " + who
	case api.ChangeRemoved:
		return c.By + " removed " + who
	case api.ChangeLeft:
		return who + " left"
	case api.ChangeRenamed:
		return c.By + " named it “" + c.Name + "”"
	}
	return deviceChanged(c, who)
}

func deviceChanged(c *api.Change, who string) string {
	switch c.Kind {
	case api.ChangeOwner:
		return c.By + " made " + who + " an owner"
	case api.ChangeNoOwner:
		return who + " is no longer an owner"
	case api.ChangeDeviceJoined:
		return who + " joined with another device"
	case api.ChangeDeviceGone:
		return "a device of " + who + " is gone"
	default:
		return "something changed that this version does not know"
	}
}

// callLine says in words how a call is or was.
func callLine(item api.Item) string {
	c := item.Call
	if c == nil {
		return "a call"
	}
	switch {
	case c.Live:
		return "a call by " + item.Name + " is going on"
	case c.Missed:
		return "missed call by " + item.Name
	}
	switch c.End {
	case api.CallEnded:
		return fmt.Sprintf("call by %s, %s: %s", item.Name, time.Duration(c.Seconds)*time.Second, strings.Join(c.People, ", "))
	case api.CallNone:
		return "call by " + item.Name + ", not answered"
	case api.CallDeclined:
		return "call by " + item.Name + ", declined"
	case api.CallBusy:
		return "call by " + item.Name + ", busy"
	case api.CallCancelled:
		return "call by " + item.Name + ", cancelled"
	}
	return "call by " + item.Name
}

// bytesText writes a size for people.
func bytesText(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d bytes", n)
	case n < 1000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1000_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	default:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	}
}
