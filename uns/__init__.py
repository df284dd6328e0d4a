"""The runtime: command line, engine shell, runners, embedded services and the screen."""
