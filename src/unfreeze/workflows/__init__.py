"""The use cases: a function each that takes plain settings and returns a record."""
