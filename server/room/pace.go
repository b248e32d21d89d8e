package room

import (
	"time"

	"github.com/veche-im/veche/server/limit"
	"github.com/veche-im/veche/wire"
)

// changeRate is how often one account may have a commit or proposal of its own
// looked at in one room. Each epoch is work for every member's device, has what
// others have just sealed sealed anew, and stays in the log: without a bound a
// member that goes on and on would leave the others behind, and no owner's commit
// would be first.
var changeRate = limit.Rate{Every: time.Second, Burst: 200}

// paced counts a change of a room by an account. It is Busy if there were too many.
func (rs *Rooms) paced(id wire.RoomID, account wire.AccountID) error {
	key := append(append([]byte("change "), id[:]...), account[:]...)
	return rs.cfg.Limit.Bound(limit.Tally{Key: string(key), Rate: rs.changeRate}, "too many changes of this room")
}
