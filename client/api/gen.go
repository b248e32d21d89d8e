package api

//go:generate go run ./gen ../../web/src/core/api.gen.ts
