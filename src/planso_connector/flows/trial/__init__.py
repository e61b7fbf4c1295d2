"""The write trial: prove on one order that saving changes nothing else, before writes are enabled."""
