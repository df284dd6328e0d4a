"""The one kind of error that is meant for a user's eyes."""


class UserError(Exception):
    """Something a user can mend: what happened, to what, and what to do. Shown as it is, never with a traceback."""


class ServiceError(UserError):
    """A service on this machine did not start or answer, or something it needs here (a port, a folder) is taken."""
