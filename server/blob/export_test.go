package blob

import "os"

// FailSync has every sync end with err.
func (s *Store) FailSync(err error) { s.dir.sync = func(*os.File) error { return err } }
