package api

import (
	"encoding/json"
	"reflect"
)

// Encode returns v as JSON for a front end. A list that is nil becomes [], not
// null, so that a front end never asks whether there is a list at all; fields
// that are left out when empty stay left out. v itself is not changed.
func Encode(v any) ([]byte, error) {
	return json.Marshal(filled(reflect.ValueOf(v)).Interface())
}

// filled returns v with empty lists in place of nil ones. What holds no list
// comes back as it is.
func filled(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Struct:
		out := reflect.New(v.Type()).Elem()
		out.Set(v)
		for i := range v.NumField() {
			if f := out.Field(i); f.CanSet() && holdsLists(f.Type(), nil) {
				f.Set(filled(f))
			}
		}
		return out
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return v
		}
		out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			out.Index(i).Set(filled(v.Index(i)))
		}
		return out
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		out := reflect.New(v.Type().Elem())
		out.Elem().Set(filled(v.Elem()))
		return out
	default:
		return v
	}
}

// holdsLists reports whether a value of type t can hold a list; seen breaks the
// circle of types that hold themselves.
func holdsLists(t reflect.Type, seen []reflect.Type) bool {
	switch t.Kind() {
	case reflect.Slice:
		return t.Elem().Kind() != reflect.Uint8
	case reflect.Pointer:
		return holdsLists(t.Elem(), seen)
	case reflect.Struct:
		for _, s := range seen {
			if s == t {
				return false
			}
		}
		for i := range t.NumField() {
			if holdsLists(t.Field(i).Type, append(seen, t)) {
				return true
			}
		}
	}
	return false
}
