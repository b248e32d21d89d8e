package store

// Exec runs a statement as an attacker of the file would.
func Exec(tx *Tx, sql string, args ...any) (Result, error) { return tx.query(sql, args...) }

// Wrap puts something between db and its connection.
func Wrap(db *DB, wrap func(Conn) Conn) { db.conn = wrap(db.conn) }

// Schema is how many migrations there are.
var Schema = len(migrations)

// Statements returns the statements of all migrations.
func Statements() (all []string) {
	for _, m := range migrations {
		all = append(all, statements(m)...)
	}
	return all
}
