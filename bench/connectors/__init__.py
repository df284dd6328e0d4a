"""How fast connectors read, each beside the bare library where there is one."""
