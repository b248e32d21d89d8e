package mls

import (
	"fmt"
	"slices"
)

// ComponentID names a part of the application that keeps data in a group
// (draft-ietf-mls-extensions §4). From 0x8000 on they are for private use.
type ComponentID uint16

// ComponentSafeAAD is the component by which a group agrees that
// authenticated_data is a SafeAAD. Whether it does is not checked here.
const ComponentSafeAAD ComponentID = 2

// ComponentData is one entry of an app_data_dictionary.
type ComponentData struct {
	Component ComponentID
	Data      []byte
}

// AppData is the content of ExtensionAppData: at most one entry for each
// component, in the order of their numbers (draft-ietf-mls-extensions §4.6).
type AppData []ComponentData

// MarshalMLS implements Marshaler.
func (a AppData) MarshalMLS(e *Encoder) {
	e.Vector(func() {
		for _, c := range a {
			e.Uint16(uint16(c.Component))
			e.Bytes(c.Data)
		}
	})
}

// UnmarshalMLS implements Unmarshaler.
func (a *AppData) UnmarshalMLS(d *Decoder) {
	*a = Vector(d, maxCodes, func(d *Decoder, c *ComponentData) {
		c.Component = ComponentID(d.Uint16())
		c.Data = d.Bytes(maxMessage)
	})
	for i := 1; i < len(*a); i++ {
		if d.Err() == nil && (*a)[i].Component <= (*a)[i-1].Component {
			d.Fail("component %#04x out of order", uint16((*a)[i].Component))
		}
	}
}

func (a AppData) at(id ComponentID) (int, bool) {
	return slices.BinarySearchFunc(a, id, func(c ComponentData, id ComponentID) int { return int(c.Component) - int(id) })
}

// Get returns the data of a component.
func (a AppData) Get(id ComponentID) (data []byte, ok bool) {
	if i, found := a.at(id); found {
		return a[i].Data, true
	}
	return nil, false
}

// With returns a copy of the list in which the component has the data, in its
// proper place.
func (a AppData) With(id ComponentID, data []byte) AppData {
	out := slices.Clone(a)
	i, found := out.at(id)
	if found {
		out[i].Data = data
		return out
	}
	return slices.Insert(out, i, ComponentData{id, data})
}

// SafeAAD is how several components share the authenticated_data of a message:
// each has at most one item, in the order of their numbers
// (draft-ietf-mls-extensions, Safe AAD). It is encoded like AppData.
type SafeAAD = AppData

// AppData decodes the extension of type ExtensionAppData; it is empty if absent.
func (x Extensions) AppData() (AppData, error) {
	data, ok := x.Get(ExtensionAppData)
	if !ok {
		return nil, nil
	}
	var a AppData
	if err := Unmarshal(data, &a); err != nil {
		return nil, fmt.Errorf("%w: app_data_dictionary: %w", ErrExtension, err)
	}
	return a, nil
}

// AppDataUpdate sets or removes the data of one component in the group context.
// The draft leaves it to each component how an update leads from the old data to
// the new; here it is the new data as a whole, and the last update counts.
type AppDataUpdate struct {
	Component ComponentID
	Remove    bool
	Data      []byte // unless Remove
}

// MarshalMLS implements Marshaler.
func (u *AppDataUpdate) MarshalMLS(e *Encoder) {
	e.Uint16(uint16(u.Component))
	if u.Remove {
		e.Uint8(2)
		return
	}
	e.Uint8(1)
	e.Bytes(u.Data)
}

// UnmarshalMLS implements Unmarshaler.
func (u *AppDataUpdate) UnmarshalMLS(d *Decoder) {
	u.Component = ComponentID(d.Uint16())
	switch op := d.Uint8(); op {
	case 1:
		u.Data = d.Bytes(maxMessage)
	case 2:
		u.Remove = true
	default:
		d.Fail("app data operation %d", op)
	}
}

// updateAppData carries out the AppDataUpdates of a commit, after all other
// proposals (draft-ietf-mls-extensions §4.7).
func (d *Draft) updateAppData(all []resolved) error {
	required, err := d.base.context.Extensions.RequiredCapabilities()
	if err != nil {
		return err
	}
	if slices.Contains(required.Proposals, ProposalAppDataUpdate) {
		before, had := d.base.context.Extensions.Get(ExtensionAppData)
		after, has := d.extensions.Get(ExtensionAppData)
		if had != has || !slices.Equal(before, after) {
			return fmt.Errorf("%w: app data changed by group context extensions", ErrProposal)
		}
	}
	seen := map[ComponentID]bool{} // whether the first was a removal
	changed := false
	data, err := d.extensions.AppData()
	if err != nil {
		return err
	}
	data = slices.Clone(data)
	for _, p := range all {
		if p.Type != ProposalAppDataUpdate {
			continue
		}
		changed = true
		u := p.AppData
		if removed, again := seen[u.Component]; again && (removed || u.Remove) {
			return fmt.Errorf("%w: component %#04x", ErrDoubleProposal, uint16(u.Component))
		}
		seen[u.Component] = u.Remove
		i, found := data.at(u.Component)
		switch {
		case u.Remove && !found:
			return fmt.Errorf("%w: component %#04x has no data", ErrProposal, uint16(u.Component))
		case u.Remove:
			data = slices.Delete(data, i, i+1)
		case found:
			data[i] = *u.entry()
		default:
			data = slices.Insert(data, i, *u.entry())
		}
	}
	if !changed {
		return nil
	}
	b, err := Marshal(data)
	if err != nil {
		return err
	}
	d.extensions = d.extensions.replace(ExtensionAppData, b)
	return CheckContextExtensions(d.extensions)
}

func (u *AppDataUpdate) entry() *ComponentData { return &ComponentData{u.Component, u.Data} }

// replace returns a copy of the list in which the extension of type t holds
// data, in its old place or at the end.
func (x Extensions) replace(t ExtensionType, data []byte) Extensions {
	out := slices.Clone(x)
	for i := range out {
		if out[i].Type == t {
			out[i].Data = data
			return out
		}
	}
	return append(out, Extension{t, data})
}
