package seal

// Padding returns how many zero bytes pad a message of n bytes, so that its
// length says less: to the next multiple of 64 bytes up to 1 KiB, of 256 above.
func Padding(n int) int {
	step := 256
	if n <= 1024 {
		step = 64
	}
	return (step - n%step) % step
}
