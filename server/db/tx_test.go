package db_test

import (
	"bytes"
	"testing"

	"github.com/veche-im/veche/server/db"
)

// Empty bytes and null are two things, also on their way through the database.
func TestEmptyIsNotNull(t *testing.T) {
	d := open(t, db.Config{Schemas: []db.Schema{{Noun: "thing", Steps: []string{`CREATE TABLE thing (body BYTEA)`}}}})
	for _, body := range []any{[]byte{}, []byte(nil), []byte("x"), nil} {
		var got []byte
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			return tx.QueryRow(`INSERT INTO thing (body) VALUES ($1) RETURNING body`, body).Scan(&got)
		})
		if err != nil {
			t.Fatal(err)
		}
		want, _ := body.([]byte)
		if (got == nil) != (body == nil) || !bytes.Equal(got, want) {
			t.Errorf("%#v came back as %#v", body, got)
		}
	}
}
