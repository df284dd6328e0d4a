"""Capability over any stretch of time; quality models, trained offline, judged on later time, written into the plant folder."""
