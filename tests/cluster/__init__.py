"""`make cluster`: a PostgreSQL cluster that fails over under load, two connectors, and laws checked at the end."""
