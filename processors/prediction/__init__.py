"""Probability of scrap from process values, by a model of the plant folder. Pure."""
