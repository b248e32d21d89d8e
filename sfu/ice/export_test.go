package ice

// Open is how many checks of ours wait for an answer.
func (t *Table) Open() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.asking)
}

// Fragments is how many user names are known.
func (t *Table) Fragments() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.ufrags)
}
