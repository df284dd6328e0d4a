"""`python -m uns`: the command line, for child processes and where no script is on the path."""

from uns.cli import main

main()
