"""The past, read again: folded from files, replayed, audited, compared under other definitions."""
