"""KPI definitions as data: elements, formulas, values, and what is wrong with a definition."""
