package video

// parseVP9 reads RFC 9628 §4.2:
//
//	 0 1 2 3 4 5 6 7
//	|I|P|L|F|B|E|V|Z|
//	|M| PICTURE ID  |   if I; 15 bits if M
//	| TID |U| SID |D|   if L
//	|   TL0PICIDX   |   if L and not F
//	| P_DIFF      |N|   if F and P, one to three of them
//	| SS …          |   if V
//
// Frames are sealed whole (docs/spec/calls.md), so what is known of them stands
// here: a frame that begins, predicts from none before (P is 0) and is of the
// lowest spatial layer is a key frame.
func parseVP9(b []byte) (d Descriptor, err error) {
	d = Descriptor{Codec: VP9, ID: -1, TL0: -1}
	if len(b) == 0 {
		return d, ErrDescriptor
	}
	flags, n, spatial := b[0], 1, 0
	if flags&0x80 != 0 {
		if n, err = d.readPicture(b, n); err != nil {
			return d, err
		}
	}
	if flags&0x20 != 0 {
		if len(b) <= n {
			return d, ErrDescriptor
		}
		d.Temporal = int(b[n] >> 5)
		spatial = int(b[n] >> 1 & 7)
		n++
		if flags&0x10 == 0 {
			if n, err = d.readTL0(b, n); err != nil {
				return d, err
			}
		}
	}
	d.rest = uint8(n)
	if flags&0x50 == 0x50 {
		for more, i := true, 0; more; i++ {
			if len(b) <= n || i == 3 {
				return d, ErrDescriptor
			}
			more = b[n]&1 != 0
			n++
		}
	}
	if flags&0x02 != 0 {
		if n, err = d.scalability(b, n); err != nil {
			return d, err
		}
	}
	if len(b) == n {
		return d, ErrDescriptor // a packet has something of a frame
	}
	d.Size = n
	d.Start = flags&0x08 != 0 && spatial == 0
	d.Key = d.Start && flags&0x40 == 0
	return d, nil
}

// scalability reads the scalability structure at b[n:] (§4.2.1) for the size of
// the largest spatial layer, and returns where it ends.
func (d *Descriptor) scalability(b []byte, n int) (int, error) {
	if len(b) <= n {
		return n, ErrDescriptor
	}
	head := b[n]
	n++
	if head&0x10 != 0 {
		layers := int(head>>5) + 1
		if len(b) < n+4*layers {
			return n, ErrDescriptor
		}
		last := b[n+4*(layers-1):]
		d.Width, d.Height = int(last[0])<<8|int(last[1]), int(last[2])<<8|int(last[3])
		n += 4 * layers
	}
	if head&0x08 != 0 {
		if len(b) <= n {
			return n, ErrDescriptor
		}
		pictures := int(b[n])
		n++
		for range pictures {
			if len(b) <= n {
				return n, ErrDescriptor
			}
			n += 1 + int(b[n]>>2&3)
		}
		if len(b) < n {
			return n, ErrDescriptor
		}
	}
	return n, nil
}
