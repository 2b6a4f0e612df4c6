package main

import "syscall"

// megabytes reads the peak of a process's memory; Linux counts in kilobytes.
func megabytes(u *syscall.Rusage) float64 { return float64(u.Maxrss) / 1024 }
