package web

import "time"

// Bucket is a token bucket, which counts calls against a limit. The zero one is
// full. It does not lock: its owner does.
type Bucket struct {
	left float64
	at   time.Time
}

// Take counts a call of now against a bucket that holds burst calls and fills up
// with perSecond of them. It returns how many calls are left; with none left the
// call is not counted, and wait is how long it has to wait.
func (b *Bucket) Take(now time.Time, burst, perSecond float64) (left float64, wait time.Duration) {
	if b.at.IsZero() {
		b.left = burst
	} else {
		since := max(0, now.Sub(b.at)) // the clock may have been put back
		b.left = min(burst, b.left+since.Seconds()*perSecond)
	}
	b.at = now
	if b.left < 1 {
		return 0, time.Duration((1 - b.left) / perSecond * float64(time.Second))
	}
	b.left--
	return b.left, 0
}
