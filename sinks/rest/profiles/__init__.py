"""Profiles: what a known system of record wants, as data beside this module; an own configuration goes over it."""

from sinks.rest.profiles.merge import merged
from sinks.rest.profiles.shelf import Profile, load, names, shown

__all__ = ["Profile", "load", "merged", "names", "shown"]
