"""The one error of embedded services."""

from uns.errors import UserError


class ServiceError(UserError):
    """A service did not start or answer."""
