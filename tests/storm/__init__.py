"""`make storm`: fault injection against a running connector, drawn from a seed, with the laws checked at the end."""
