"""How fast sinks write, beside the bare target. A module here with a function `measure(job: Job)` is a section of its name."""
