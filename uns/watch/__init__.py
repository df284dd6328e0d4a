"""Watching processes from outside: their metrics, and a screen of them."""
