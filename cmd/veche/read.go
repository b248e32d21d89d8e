package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/wire"
)

type readCmd struct {
	roomFlags
	Since  int64 `placeholder:"SEQ" help:"Only what stands after this number."`
	Follow bool  `short:"f" help:"Stay, and show what comes."`
}

// messageRow is a message in JSON. Kind is there when it is something else than
// a message that can be read.
type messageRow struct {
	Room  wire.RoomID  `json:"room"`
	Seq   int64        `json:"seq"`
	ID    string       `json:"id"`
	From  string       `json:"from"`
	Time  string       `json:"time"`
	Text  string       `json:"text"`
	Files []fileRow    `json:"files"`
	Kind  api.ItemKind `json:"kind,omitempty"`
}
type fileRow struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
	Type string `json:"type"`
}

func (c readCmd) Run(ctx context.Context, t *term) error {
	last := c.Since
	for {
		again, err := c.run(ctx, t, &last)
		if c.Follow && ctx.Err() != nil {
			return nil // it was to last until now
		}
		if err != nil || !again {
			return err
		}
	}
}

// run shows what stands after *last, which it moves on. It reports true when
// another process had the profile open and went: then there is more to follow.
func (c readCmd) run(ctx context.Context, t *term, last *int64) (again bool, err error) {
	p, err := openProfile(ctx, t, c.Profile)
	if err != nil {
		return false, err
	}
	defer p.close()
	if c.Follow {
		stop := share(p)
		defer stop()
	}
	if err := p.catchUp(ctx); err != nil {
		return false, err
	}
	room, err := p.roomNamed(ctx, c.Room)
	if err != nil {
		return false, err
	}
	for {
		changed := p.changed()
		if err := c.showNew(ctx, t, p, room.ID, last); err != nil {
			return false, err
		}
		if !c.Follow {
			return false, nil
		}
		select {
		case <-ctx.Done():
			return false, nil
		case err := <-p.ended():
			if errors.Is(err, errHostGone) {
				return true, nil
			}
			return false, err
		case <-changed:
		}
	}
}

func (c readCmd) showNew(ctx context.Context, t *term, p *profile, room wire.RoomID, last *int64) error {
	items, err := p.itemsAfter(ctx, room, *last)
	if err != nil {
		return err
	}
	for _, item := range items {
		if err := c.show(t, room, item); err != nil {
			return err
		}
		*last = item.Seq
	}
	if len(items) > 0 {
		_, err = do(ctx, p, api.MarkRead, api.ReadTo{Room: room, Seq: *last})
	}
	return err
}

func (c readCmd) show(t *term, room wire.RoomID, item api.Item) error {
	if c.JSON {
		row := messageRow{Room: room, Seq: item.Seq, ID: item.ID, From: item.Name, Time: stamp(item.Time), Text: item.Text, Files: []fileRow{}}
		switch item.Kind {
		case api.ItemChange, api.ItemStart:
			return nil
		case api.ItemMessage:
		default:
			row.Kind = item.Kind
		}
		for _, f := range item.Files {
			row.Files = append(row.Files, fileRow{f.Name, f.Size, f.Type})
		}
		return t.object(row)
	}
	t.show("%s", line(item))
	return nil
}

// line writes an item for people: number, time, who, what.
func line(item api.Item) string {
	var b strings.Builder
	switch item.Kind {
	case api.ItemChange:
		return pad(item) + "— " + changed(item.Change) + "\n"
	case api.ItemCall:
		return pad(item) + "— " + callLine(item) + "\n"
	case api.ItemStart:
		return pad(item) + "— this device joined here; older messages are not on it\n"
	case api.ItemUnopenable:
		return pad(item) + "— a message that could not be opened\n"
	case api.ItemUnknown:
		return pad(item) + item.Name + ": (a newer version of Veche is needed to show this)\n"
	case api.ItemDeleted:
		return pad(item) + item.Name + ": (deleted)\n"
	}
	b.WriteString(pad(item) + item.Name + ": ")
	if item.Reply != nil {
		b.WriteString("(to " + item.Reply.Name + ": " + item.Reply.Text + ") ")
	}
	b.WriteString(strings.ReplaceAll(item.Text, "\n", "\n"+strings.Repeat(" ", len(pad(item)))))
	if item.Edited {
		b.WriteString(" (edited)")
	}
	if item.Alone {
		b.WriteString(" (only on this device)")
	}
	for _, f := range item.Files {
		b.WriteString(" [" + f.Name + ", " + bytesText(f.Size) + "]")
	}
	b.WriteString("\n")
	return b.String()
}

// itemsAfter returns the rows of a room after seq, oldest first, as far as the
// log was read here: an own message may have its number while what came before
// it is still on its way, and showing it then would be showing across a gap.
func (p *profile) itemsAfter(ctx context.Context, room wire.RoomID, seq int64) ([]api.Item, error) {
	details, err := do(ctx, p, api.GetRoom, api.RoomRef{Room: room})
	if err != nil {
		return nil, err
	}
	end := details.Room.Seq
	var items []api.Item
	ask := api.Window{Room: room, Limit: 200}
	for {
		page, err := do(ctx, p, api.GetTimeline, ask)
		if err != nil {
			return nil, err
		}
		reached := len(page.Items) == 0 || !page.Older
		for _, item := range slices.Backward(page.Items) {
			if item.Seq > seq && item.Seq <= end {
				items = append(items, item)
			} else if item.Seq > 0 && item.Seq <= seq {
				reached = true
			}
		}
		if reached {
			break
		}
		ask.Before = page.Items[0].Order
	}
	slices.Reverse(items)
	slices.SortStableFunc(items, func(a, b api.Item) int { return int(a.Seq - b.Seq) })
	return items, nil
}
