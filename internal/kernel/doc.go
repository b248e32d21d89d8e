// Package kernel asks of the operating system's kernel what databases need and
// the standard library does not offer.
package kernel
