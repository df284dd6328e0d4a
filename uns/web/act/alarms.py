"""What people do with alarms: see them, put them aside for a while, take them out of service. Pure."""

from processors.output.identity import parse
from schemas.records import Acknowledge, OutOfService, Shelve
from uns.web.access.roles import Role
from uns.web.act.deed import UNDONE_AT, Deed, Kind, Refused, Told, World

MINUTE_US = 60_000_000
OPERATORS_MIN = 60
"""Longer than this an operator does not put an alarm aside alone."""
SHELF_MAX_MIN = 7 * 24 * 60


def _alert(deed: Deed) -> str:
    """The alert's id without its revision."""
    told = deed.text("alert")
    head, _, revision = told.rpartition(":")
    natural = head if revision.isdigit() else told
    try:
        kind, _begin = parse(natural)
    except ValueError:
        kind = ""
    if not kind.startswith("alert."):
        raise Refused(f"alert: {told[:100]!r} is no alert's id")
    return natural


def acknowledge(deed: Deed, _: World) -> list[Told]:
    """`alert` was seen."""
    return [(deed.path, Acknowledge(alert=_alert(deed), at=deed.said_at, by=deed.by, comment=deed.words("comment")))]


def reset(deed: Deed, _: World) -> list[Told]:
    """`alert` is latched, its cause is gone: it ends."""
    fact = Acknowledge(alert=_alert(deed), at=deed.said_at, by=deed.by, comment=deed.words("comment"), action="reset")
    return [(deed.path, fact)]


def shelve(deed: Deed, _: World) -> list[Told]:
    """`alarm` is put aside for `minutes`; `comment` says why."""
    minutes = deed.whole("minutes", 1, SHELF_MAX_MIN)
    return [_shelf(deed, deed.said_at + minutes * MINUTE_US)]


def unshelve(deed: Deed, _: World) -> list[Told]:
    """It stands again from now on."""
    ends_at = deed.said_at + deed.whole("minutes", 1, SHELF_MAX_MIN) * MINUTE_US
    return [_shelf(deed, max(deed.said_at, min(ends_at, deed.time(UNDONE_AT))))]


def _shelf(deed: Deed, ended_at: int) -> Told:
    return deed.path, Shelve(
        id=deed.id,
        alarm=deed.text("alarm"),
        started_at=deed.said_at,
        ended_at=ended_at,
        by=deed.by,
        comment=deed.text("comment"),
    )


def take_out(deed: Deed, _: World) -> list[Told]:
    """`alarm` is out of service until it is put back; `comment` says why."""
    return [_service(deed, None)]


def put_back(deed: Deed, _: World) -> list[Told]:
    return [_service(deed, max(deed.said_at, deed.time(UNDONE_AT)))]


def _service(deed: Deed, ended_at: int | None) -> Told:
    return deed.path, OutOfService(
        id=deed.id,
        alarm=deed.text("alarm"),
        started_at=deed.said_at,
        ended_at=ended_at,
        by=deed.by,
        comment=deed.text("comment"),
    )


def _long(deed: Deed) -> Role:
    return Role.SUPERVISOR if deed.whole("minutes", 1, SHELF_MAX_MIN) > OPERATORS_MIN else Role.OPERATOR


KINDS = {
    # Not taken back: an alarm that was seen was seen.
    "acknowledge": Kind(Role.OPERATOR, acknowledge),
    "reset": Kind(Role.OPERATOR, reset),
    "shelve": Kind(Role.OPERATOR, shelve, unshelve, _long),
    "out_of_service": Kind(Role.ENGINEER, take_out, put_back),
}
