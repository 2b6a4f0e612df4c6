package directory

// ForeignMatch reports whether a password is the one behind an import.
func ForeignMatch(hash, password string) bool {
	h, err := readForeignHash(hash)
	if err != nil || h.Iterations > 1<<16 || h.WorkFactor > 6 { // keep fuzzing quick
		return false
	}
	return h.matches(password)
}
