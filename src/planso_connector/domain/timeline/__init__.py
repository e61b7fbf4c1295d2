"""The repair timeline of an order (Reparaturablaufplan): what happened when, how it is known, what is not known."""
