"""How far an order is, and the sentence that says it."""
