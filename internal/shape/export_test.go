package shape

// SetLimit bounds what an expression may cost, for tests.
func (e *Expression) SetLimit(n int) { e.limit = n }
