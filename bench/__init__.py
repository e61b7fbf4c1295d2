"""Benchmarks. Each compares two things in one run and prints their ratio, so that the machine's speed cancels out."""
