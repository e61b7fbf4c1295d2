"""Match what a caller said (plate, name, phone, email, order number) against orders. Pure."""
