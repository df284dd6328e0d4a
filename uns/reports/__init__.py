"""Derived records of a stretch of time, compared: by groups, and before against after."""
