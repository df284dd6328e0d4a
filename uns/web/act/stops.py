"""Why a machine stood: a reason for a stop or a part of it, a stop split in two, several put together. Pure.

The id of a reason follows from where it begins, so that a better one replaces it. What takes it back is the same reason
over no time: then the machine's own code speaks again, or what a person had said before.
"""

from schemas.records import Reason
from uns.web.access.roles import Role
from uns.web.act.deed import Deed, Kind, Refused, Told, World

PARTS_MAX = 100
CODE_MAX = 2**31


def _id(started_at: int, whole: bool) -> str:
    return f"page/{started_at}/whole" if whole else f"page/{started_at}"


def _reason(deed: Deed, code: int, started_at: int, ended_at: int | None) -> Told:
    whole = ended_at is None
    return deed.path, Reason(
        id=_id(started_at, whole),
        code=code,
        started_at=started_at,
        ended_at=ended_at,
        by=deed.by,
        comment=deed.words("comment"),
    )


def _nothing(deed: Deed, code: int, started_at: int, whole: bool) -> Told:
    """The reason over no time."""
    return deed.path, Reason(
        id=_id(started_at, whole), code=code, started_at=started_at, ended_at=started_at, by=deed.by
    )


def _code(deed: Deed, name: str) -> int:
    return deed.whole(name, 1, CODE_MAX)


def give(deed: Deed, _: World) -> list[Told]:
    """`code` for the stop that holds `started_at`, or with `ended_at` for that part of it alone."""
    return [_reason(deed, _code(deed, "code"), deed.time("started_at"), deed.maybe_time("ended_at"))]


def take_back(deed: Deed, _: World) -> list[Told]:
    """Back to `was_code`, which a person had given before, or to what the machine says."""
    started_at, ended_at = deed.time("started_at"), deed.maybe_time("ended_at")
    if deed.fields.get("was_code") is not None:
        return [_reason(deed, _code(deed, "was_code"), started_at, ended_at)]
    return [_nothing(deed, _code(deed, "code"), started_at, ended_at is None)]


def split(deed: Deed, _: World) -> list[Told]:
    """At `at`: `code` before it, `code_after` from there on; `ended_at` is null while the machine stands."""
    started_at, at, ended_at = deed.time("started_at"), deed.time("at"), deed.maybe_time("ended_at")
    if not started_at < at < (2**62 if ended_at is None else ended_at):
        raise Refused("at: a time inside the stop is expected")
    return [
        _reason(deed, _code(deed, "code"), started_at, at),
        _reason(deed, _code(deed, "code_after"), at, ended_at),
    ]


def unsplit(deed: Deed, _: World) -> list[Told]:
    return [
        _nothing(deed, _code(deed, "code"), deed.time("started_at"), False),
        _nothing(deed, _code(deed, "code_after"), deed.time("at"), deed.maybe_time("ended_at") is None),
    ]


def merge(deed: Deed, _: World) -> list[Told]:
    """One `code` from `started_at` to `ended_at`; what was said of parts that begin at `parts` is taken back."""
    started_at, ended_at, code = deed.time("started_at"), deed.time("ended_at"), _code(deed, "code")
    if ended_at <= started_at:
        raise Refused("ended_at: a time after the begin is expected")
    inner = [at for at in deed.times("parts", PARTS_MAX) if started_at < at < ended_at]
    return [
        *(_nothing(deed, code, at, False) for at in inner),
        _reason(deed, code, started_at, ended_at),
    ]


KINDS = {
    "reason": Kind(Role.OPERATOR, give, take_back),
    "split": Kind(Role.OPERATOR, split, unsplit),
    # What the parts had said before is not known any more: give them their reasons again.
    "merge": Kind(Role.OPERATOR, merge),
}
