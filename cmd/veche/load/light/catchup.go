package light

import (
	"context"
	"errors"
	"fmt"

	"github.com/veche-im/veche/wire"
)

// CatchUp is load.Conn's: a list of the rooms, and then one page of the log of
// each, several at a time.
func (c *Conn) CatchUp(ctx context.Context, rooms []int, last int) (int, error) {
	list, err := c.call(ctx, wire.RoomList.Name, wire.None{})
	if err != nil {
		return 0, err
	}
	var l wire.Rooms
	if err := wire.Decode(list, &l); err != nil {
		return 0, err
	}
	newest := make(map[wire.RoomID]int64, len(l.Rooms))
	for _, r := range l.Rooms {
		newest[r.Room] = r.Seq
	}
	type page struct {
		room int
		body []byte
		err  error
	}
	pages := make(chan page, len(rooms)) // so that whoever reads never waits
	asked, got, total := 0, 0, 0
	for got < len(rooms) {
		for asked < len(rooms) && asked-got < wire.MaxOutstanding/2 {
			room := rooms[asked]
			id := c.site.rooms[room].ID
			seq, ok := newest[id]
			if !ok {
				return 0, fmt.Errorf("room %d is not in the list", room)
			}
			err := c.ask(wire.RoomLog.Name, pending{kind: askedPage, page: func(body []byte, err error) {
				pages <- page{room, append([]byte(nil), body...), err}
			}}, wire.ReadLog{Room: id, After: max(seq-int64(last), 0), Limit: last})
			if err != nil {
				return 0, err
			}
			asked++
		}
		var p page
		select {
		case p = <-pages:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		got++
		if p.err != nil {
			return 0, p.err
		}
		before := int64(0)
		_, err := parsePage(p.body, func(e entry) {
			if before != 0 && e.seq != before+1 {
				p.err = fmt.Errorf("room %d: entry %d after %d", p.room, e.seq, before)
			}
			before = e.seq
			total++
		})
		if err := errors.Join(err, p.err); err != nil {
			return 0, err
		}
	}
	return total, nil
}

// call asks and waits for the answer.
func (c *Conn) call(ctx context.Context, method string, params any) ([]byte, error) {
	type answer struct {
		body []byte
		err  error
	}
	done := make(chan answer, 1)
	err := c.ask(method, pending{kind: askedPage, page: func(body []byte, err error) {
		done <- answer{append([]byte(nil), body...), err}
	}}, params)
	if err != nil {
		return nil, err
	}
	select {
	case a := <-done:
		return a.body, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
