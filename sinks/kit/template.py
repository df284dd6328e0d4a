"""Templates from a record's fields to a value: the language is the REST sink's, for every sink that fills something in."""

from sinks.rest.template import MAPS, OMITTED, BadTemplate, UnfitValue, check, fields, fill, is_table

__all__ = ["MAPS", "OMITTED", "BadTemplate", "UnfitValue", "check", "fields", "fill", "is_table"]
