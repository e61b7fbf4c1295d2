"""`python -m planso_connector` is the command `planso-connector`."""

from planso_connector.cli import main

main()
