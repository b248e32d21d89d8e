package room

// ListDetails has lists say at most n members and cursors in detail.
func (rs *Rooms) ListDetails(n int) { rs.listDetails = n }
