"""The second fold: Kpi records of lines, areas, sites and the enterprise from those of the machines. Pure."""
