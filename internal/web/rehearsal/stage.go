package rehearsal

// Stage is what a sandbox is rehearsed on: its time, and what goes wrong there.
type Stage struct {
	Clock  *Clock
	Faults *Faults
}
