"""What several sinks need: a record as columns, line protocol, HTTP, batches of which one part is refused, suspects."""
