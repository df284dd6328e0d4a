"""The one error of embedded services."""


class ServiceError(Exception):
    """A service did not start or answer. The message says what happened, to what, and what to do."""
