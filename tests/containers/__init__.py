"""The compose setup in a real engine: built, killed, recreated and upgraded. `make test-containers` runs it."""
