"""Measurements. Each compares two things in one run and prints a ratio; the machine's own speed cancels out."""
