package directory

// BaseShape returns the schema of the people of an org that never changed it.
func BaseShape() (*Shape, error) {
	return (&Schema{Meta: Meta{ID: SchemaOf(DefaultUserType)}}).compile()
}

// CheckValue returns what is wrong with a value of an attribute, as a write of a
// profile would; nil is no value.
func (s *Shape) CheckValue(name string, v any) Violations {
	i, ok := s.index[name]
	if !ok {
		if v == nil {
			return nil
		}
		return Violations{{Field: name, Rule: Undefined}}
	}
	return s.attributes[i].check(v)
}

// Words says what is wrong, as the end of a sentence about the field.
func (v Violation) Words() string { return v.words() }
