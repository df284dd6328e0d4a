"""What several sinks need: a record as rows with typed columns, which records are wanted, templates."""
