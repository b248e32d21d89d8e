package db

import (
	"database/sql/driver"
	"fmt"
	"reflect"
)

// value is what the driver takes for an argument: numbers as int64, truth as 0
// and 1, text, and bytes, which ids and hashes are too. A nil slice of bytes
// becomes an empty one: null is said with an untyped nil.
func value(a any) (driver.Value, error) {
	switch a := a.(type) {
	case nil, int64, string:
		return a, nil
	case int:
		return int64(a), nil
	case bool:
		if a {
			return int64(1), nil
		}
		return int64(0), nil
	case []byte:
		if a == nil {
			return []byte{}, nil
		}
		return a, nil
	}
	v := reflect.ValueOf(a)
	switch {
	case isBytes(v.Type()):
		b := make([]byte, v.Len())
		reflect.Copy(reflect.ValueOf(b), v)
		return b, nil
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8:
		if v.IsNil() {
			return []byte{}, nil
		}
		return v.Bytes(), nil
	}
	return driver.DefaultParameterConverter.ConvertValue(a)
}

func isBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Array && t.Elem().Kind() == reflect.Uint8
}

// store puts a column where dest points to. Bytes are dest's own: the driver made
// them for this row.
func store(dest any, v driver.Value) error {
	switch d := dest.(type) {
	case *int64:
		if n, ok := v.(int64); ok {
			*d = n
			return nil
		}
	case *string:
		if s, ok := v.(string); ok {
			*d = s
			return nil
		}
	case *[]byte:
		switch b := v.(type) {
		case nil:
			*d = nil
			return nil
		case []byte:
			if *d = b; b == nil {
				*d = []byte{} // empty and null are told apart
			}
			return nil
		}
	case *any:
		*d = v
		return nil
	}
	to := reflect.ValueOf(dest)
	if to.Kind() != reflect.Pointer || to.IsNil() {
		return fmt.Errorf("%T is no place for a column", dest)
	}
	to = to.Elem()
	switch v := v.(type) {
	case int64:
		switch {
		case to.CanInt() && !to.OverflowInt(v):
			to.SetInt(v)
			return nil
		case to.CanUint() && v >= 0 && !to.OverflowUint(uint64(v)):
			to.SetUint(uint64(v))
			return nil
		case to.Kind() == reflect.Bool && (v == 0 || v == 1):
			to.SetBool(v == 1)
			return nil
		}
	case string:
		if to.Kind() == reflect.String {
			to.SetString(v)
			return nil
		}
	case []byte:
		switch {
		case isBytes(to.Type()) && len(v) == to.Len():
			reflect.Copy(to, reflect.ValueOf(v))
			return nil
		case to.Kind() == reflect.Slice && to.Type().Elem().Kind() == reflect.Uint8:
			to.SetBytes(v)
			return nil
		case isBytes(to.Type()):
			return fmt.Errorf("it holds %d bytes where %s belongs", len(v), to.Type())
		}
	case nil:
		if to.Kind() == reflect.Slice && to.Type().Elem().Kind() == reflect.Uint8 {
			to.SetZero()
			return nil
		}
	}
	return fmt.Errorf("it holds %T where %s belongs", v, to.Type())
}
