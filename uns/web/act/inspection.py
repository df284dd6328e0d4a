"""What was measured or counted by hand, looked at before it is believed. Pure."""

from schemas.records import Defect, Inspection
from uns.web.access.roles import Role
from uns.web.act.deed import Confirm, Deed, Kind, Refused, Told, World, type_of

FAR = 3.0
"""Widths of the specification beyond its limits: further away it is rather a slip of the finger or the unit."""
DEFECTS_MAX, COUNT_MAX = 50, 1_000_000


def implausible(value: float, low: float | None, high: float | None) -> str | None:
    """Why a value looks like a slip, against specification limits; None: it does not. With one limit only, a value of the
    other sign or ten times the limit does."""
    if low is not None and high is not None and high > low:
        width = high - low
        if low - FAR * width <= value <= high + FAR * width:
            return None
        return f"{value:g} is far outside of {low:g} to {high:g}"
    limit = high if high is not None else low
    if limit is None or limit == 0:
        return None
    ratio = value / limit
    return None if 0.1 <= ratio <= 10 or value == 0 else f"{value:g} is far from the limit of {limit:g}"


def enter(deed: Deed, world: World) -> list[Told]:
    """`value` of `characteristic`; with `size`, `passed` and `defects` (each `type`, `place`, `count`) where there are any."""
    name, value = deed.text("characteristic"), deed.number("value")
    tag = type_of(world.plant, deed.path).tags.get(name)
    low, high = getattr(tag, "lsl", None), getattr(tag, "usl", None)
    if not deed.confirmed and (why := implausible(value, low, high)) is not None:
        raise Confirm(f"{name}: {why}; is it really so?")
    passed = deed.fields.get("passed")
    if passed is not None and not isinstance(passed, bool):
        raise Refused("passed: true or false is expected")
    size = None if deed.fields.get("size") is None else deed.number("size")
    fact = Inspection(
        id=deed.id,
        characteristic=name,
        at=deed.said_at,
        value=value,
        by=deed.by,
        size=size,
        passed=passed,
        defects=_defects(deed),
    )
    return [(deed.path, fact)]


def _defects(deed: Deed) -> tuple[Defect, ...]:
    told = deed.fields.get("defects", [])
    if not isinstance(told, list) or len(told) > DEFECTS_MAX or not all(isinstance(each, dict) for each in told):
        raise Refused(f"defects: a list of at most {DEFECTS_MAX} is expected, each with a type")
    each = [Deed(deed.id, deed.kind, deed.path, {"count": 1, **one}, deed.by, deed.said_at) for one in told]
    return tuple(Defect(one.text("type"), one.words("place"), one.whole("count", 1, COUNT_MAX)) for one in each)


KINDS = {"inspection": Kind(Role.OPERATOR, enter)}
