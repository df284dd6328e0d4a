"""The public library: connect, subscribe, read history, publish facts."""
