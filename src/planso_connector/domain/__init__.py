"""Orders, parts, fields, operations, German dates and numbers. Pure: no I/O, no framework."""
