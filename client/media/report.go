package media

import (
	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/wire"
)

// Report is what a participant sent and heard. Times are in milliseconds from
// the beginning of Run.
type Report struct {
	Call       wire.CallID `json:"call"`
	Number     int         `json:"number"`      // of the last joining
	Joins      int         `json:"joins"`       // 1, and one for each time the media was lost for good
	Connected  int64       `json:"connected"`   // when media could first flow
	FirstFrame int64       `json:"first_frame"` // when a frame first opened, 0 if none did
	Sent       Sent        `json:"sent"`
	Heard      []Sender    `json:"heard"`
	Unopened   int         `json:"unopened"` // frames that opened for nobody in the room
	KeyChanges int         `json:"key_changes"`
	Why        string      `json:"why"` // it ended: "time", "played", "ended", "removed", …
}

// Sent is what left.
type Sent struct {
	Packets int `json:"packets"`
	Bytes   int `json:"bytes"`   // of RTP payload
	Unsent  int `json:"unsent"`  // frames for which there was no key
	Silence int `json:"silence"` // frames of silence, which are not sent
}

// Sender is a source of a participant, as its key ids name it.
type Sender struct {
	Account wire.AccountID `json:"account"`
	Device  wire.DeviceID  `json:"device"`
	Name    string         `json:"name"`
	Leaf    int            `json:"leaf"`
	Source  api.Source     `json:"source"`
	Frames  int            `json:"frames"`
	Bytes   int            `json:"bytes"`
	First   int64          `json:"first"` // when the first frame opened
	Last    int64          `json:"last"`  // when the newest one did
	Sound   *Heard         `json:"sound,omitempty"`
	Keys    int            `json:"keys,omitempty"` // key frames of video
}
