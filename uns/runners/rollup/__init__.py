"""The second hop: `kpi` topics in, Kpi records of lines, areas, sites and the enterprise out, exactly once."""
