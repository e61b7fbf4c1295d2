"""Saving: how a form is sent, and what is seen of it afterwards."""
