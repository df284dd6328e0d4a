"""Inputs read as time: state, stops, the KPI definition's elements, and their sums over windows."""
