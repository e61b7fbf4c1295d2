"""Read requests, answered from the mirror."""
