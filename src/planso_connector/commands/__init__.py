"""Groups of commands, one file each, and what they share with `cli`."""
