"""Names: ISA-95 paths, message classes, topics, filters, and PackML's words."""
