"""The `uns` command: one module a group of commands, each imports what it needs only when it runs."""

from uns.cli.app import main

__all__ = ["main"]
