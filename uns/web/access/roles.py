"""Roles, and the places they hold at. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

NOBODY = "not signed in"
NAME_MAX = 60


class Role(IntEnum):
    """What a person may do; a greater one may do all that a smaller one may."""

    VIEWER = 1
    """Looks."""
    OPERATOR = 2
    """Tells what happened: reasons, counts, inspections, orders; acknowledges; calls for help."""
    SUPERVISOR = 3
    """Shelves alarms, signs shifts, takes back what another said."""
    ENGINEER = 4
    """Gives quarantined records again, takes alarms out of service."""
    ADMIN = 5
    """All, everywhere it holds."""

    @property
    def word(self) -> str:
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> "Role":
        """Raises `ValueError` that names the roles."""
        try:
            return cls[word.upper()]
        except KeyError:
            raise ValueError(f"{word!r} is no role; there are {', '.join(role.word for role in cls)}") from None


Grants = Mapping[str, Role]
"""Place → role there and at all inside it; "" is everywhere."""


def holds(prefix: str, place: str) -> bool:
    """Whether a grant at `prefix` reaches `place`: segment by segment, so `acme/dallas` never reaches `acme/dallas2`."""
    return not prefix or place == prefix or place.startswith(prefix + "/")


def role_at(grants: Grants, place: str) -> Role | None:
    """The greatest role that reaches a place; None: none does."""
    return max((role for prefix, role in grants.items() if holds(prefix, place)), default=None)


@dataclass(frozen=True, slots=True)
class Who:
    """One visitor of the page."""

    name: str
    """The user's; "" for one who did not sign in, where nobody has to."""
    grants: Grants = field(default_factory=dict)

    def may(self, role: Role, place: str) -> bool:
        """Whether the visitor has at least `role` at `place` ("" : everywhere)."""
        held = role_at(self.grants, place)
        return held is not None and held >= role

    def sees(self, place: str) -> bool:
        """Whether a place is shown: one they may look at, or one on the way there."""
        return self.may(Role.VIEWER, place) or any(holds(place, prefix) for prefix in self.grants)

    def by(self, said: str = "") -> str:
        """What stands as `by` in a fact of theirs. `said`: the name that one who did not sign in gives; it is marked."""
        if self.name:
            return self.name
        given = " ".join(said.split())[:NAME_MAX]
        return f"{given} ({NOBODY})" if given else NOBODY


ANYBODY = Who("", {"": Role.ADMIN})
"""Every visitor, where there are no users."""
