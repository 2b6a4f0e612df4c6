package directory

// Shape returns the schema ready to check profiles.
func (s *Schema) Shape() (*Shape, error) { return s.compile() }

// BaseShape returns the schema of the people of an org that never changed it.
func BaseShape() (*Shape, error) {
	return (&Schema{Meta: Meta{ID: SchemaOf(DefaultUserType)}}).Shape()
}

// CheckValue returns what is wrong with a value of an attribute, as a write of a
// profile would; nil is no value.
func (s *Shape) CheckValue(name string, v any) Violations {
	if i, ok := s.index[name]; ok {
		return s.attributes[i].check(v)
	}
	if v == nil {
		return nil
	}
	return Violations{{Field: name, Rule: Undefined}}
}

// Words says what is wrong, as the end of a sentence about the field.
func (v Violation) Words() string { return v.words() }
