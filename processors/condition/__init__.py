"""Condition of machines: features, zones, trends with remaining life, counters to maintenance, and when to replace by age."""
