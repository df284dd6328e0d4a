"""What a number rests on: its revisions, its definition worked out, its inputs, down to the raw records."""
