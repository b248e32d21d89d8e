package video

// parseVP8 reads RFC 7741 §4.2:
//
//	 0 1 2 3 4 5 6 7
//	|X|R|N|S|R| PID |
//	|I|L|T|K|  RSV  |   if X
//	|M| PictureID   |   if I; 15 bits if M
//	|   TL0PICIDX   |   if L
//	|TID|Y| KEYIDX  |   if T or K
//
// and, in the first packet of a frame, the frame's own header (§4.3, RFC 6386
// §9.1): bit 0 of its first byte is 0 in a key frame, whose bytes 3 to 9 are a
// start code, width and height.
func parseVP8(b []byte) (d Descriptor, err error) {
	d = Descriptor{Codec: VP8, ID: -1, TL0: -1}
	if len(b) == 0 {
		return d, ErrDescriptor
	}
	n := 1
	if b[0]&0x80 != 0 {
		if len(b) < 2 {
			return d, ErrDescriptor
		}
		ext := b[1]
		n = 2
		if ext&0x80 != 0 {
			if n, err = d.readPicture(b, n); err != nil {
				return d, err
			}
		}
		if ext&0x40 != 0 {
			if n, err = d.readTL0(b, n); err != nil {
				return d, err
			}
		}
		d.rest = uint8(n)
		if ext&0x30 != 0 {
			if len(b) <= n {
				return d, ErrDescriptor
			}
			if ext&0x20 != 0 {
				d.Temporal = int(b[n] >> 6)
			}
			n++
		}
	}
	d.Size = n
	d.Start = b[0]&0x10 != 0 && b[0]&0x07 == 0
	frame := b[n:]
	if !d.Start || len(frame) == 0 {
		d.Start = d.Start && len(frame) > 0
		return d, nil
	}
	d.Key = frame[0]&1 == 0
	if d.Key && len(frame) >= 10 && frame[3] == 0x9d && frame[4] == 0x01 && frame[5] == 0x2a {
		d.Width = int(frame[7]&0x3f)<<8 | int(frame[6])
		d.Height = int(frame[9]&0x3f)<<8 | int(frame[8])
	}
	return d, nil
}
