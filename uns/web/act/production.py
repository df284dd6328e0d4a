"""Orders that begin, pause, go on and end; pieces counted by hand. Pure."""

import hashlib
from collections.abc import Iterator

from schemas.records import Order, Sample, Samples
from topology.model.equipment import EquipmentType
from topology.model.tags import CountTag
from uns.web.access.roles import Role
from uns.web.act.deed import Deed, Kind, Refused, Told, World, type_of

PIECES_MAX = 10_000_000
SOURCE = "page"
COUNTED = {"good": "good_count", "scrap": "scrap_count", "rework": "rework_count"}


def _order(deed: Deed, id_: str, started_at: int, ended_at: int | None) -> Told:
    planned = None if deed.fields.get("planned_quantity") is None else deed.whole("planned_quantity", 0, PIECES_MAX)
    return deed.path, Order(
        id=id_,
        product=deed.text("product"),
        started_at=started_at,
        ended_at=ended_at,
        planned_quantity=planned,
        attributes={"by": deed.by},
    )


def start(deed: Deed, _: World) -> list[Told]:
    """`order` of `product` begins when it was said."""
    return [_order(deed, deed.text("order"), deed.said_at, None)]


def end(deed: Deed, _: World) -> list[Told]:
    """`order`, which began at `started_at`, ends when it was said. A pause is the same."""
    started_at = deed.time("started_at")
    if deed.said_at <= started_at:
        raise Refused("started_at: the order would end before it begins")
    return [_order(deed, deed.text("order"), started_at, deed.said_at)]


def go_on(deed: Deed, _: World) -> list[Told]:
    """A paused `order` goes on as its next part: `4711`, then `4711.2`, for one id is one stretch of time."""
    whole, _dot, part = deed.text("order").partition(".")
    number = int(part) + 1 if part.isdigit() and len(part) < 6 else 2
    return [_order(deed, f"{whole}.{number}", deed.said_at, None)]


def unstart(deed: Deed, _: World) -> list[Told]:
    return [_order(deed, deed.text("order"), deed.said_at, deed.said_at)]


def unend(deed: Deed, _: World) -> list[Told]:
    return [_order(deed, deed.text("order"), deed.time("started_at"), None)]


def count(deed: Deed, world: World) -> list[Told]:
    """`pieces` that were counted by hand: `what` is good, scrap or rework. For machines that book pieces, not those that
    count them by themselves: they would count twice."""
    what = deed.text("what")
    if what not in COUNTED:
        raise Refused(f"what: {', '.join(COUNTED)} are expected")
    tag = _booked(type_of(world.plant, deed.path), COUNTED[what], deed.path)
    pieces = deed.whole("pieces", 1, PIECES_MAX)
    number = int.from_bytes(hashlib.blake2b(deed.id.encode(), digest_size=5).digest())
    return [(deed.path, Samples(SOURCE, number, (Sample(tag, deed.said_at, pieces),)))]


def _booked(equipment: EquipmentType, role: str, path: str) -> str:
    """The tag that takes pieces counted by hand."""
    tags: Iterator[tuple[str, CountTag]] = (
        (name, tag) for name, tag in equipment.tags.items() if isinstance(tag, CountTag) and tag.role == role
    )
    name, found = next(tags, (None, None))
    if name is None or found is None:
        raise Refused(f"{path} has no tag of role {role}: add one with `counts: increments` to its type")
    if found.counts != "increments":
        raise Refused(f"{path} counts by itself ({name}): pieces counted by hand would count twice")
    return name


KINDS = {
    "order_start": Kind(Role.OPERATOR, start, unstart),
    "order_pause": Kind(Role.OPERATOR, end, unend),
    "order_resume": Kind(Role.OPERATOR, go_on),
    "order_end": Kind(Role.OPERATOR, end, unend),
    # Pieces only add up: one that was wrong is not taken back by a fact.
    "count": Kind(Role.OPERATOR, count),
}
