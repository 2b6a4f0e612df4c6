//go:build unix && !linux

package main

import "syscall"

// megabytes reads the peak of a process's memory; the BSDs and macOS count in
// bytes.
func megabytes(u *syscall.Rusage) float64 { return float64(u.Maxrss) / (1 << 20) }
