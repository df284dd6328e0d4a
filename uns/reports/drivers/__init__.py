"""`uns drivers`: what a loss hangs together with, from topics, from a file of raw records, or from a table."""
