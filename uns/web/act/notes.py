"""What people say and no number follows from: comments, calls for help, why pieces are scrap, hand-overs, signatures. Pure.

A note is a record of class `note`. Its id follows from the deed's, so that it is one however often it comes; an answer and a
taking back are its next revision, and keep what was said and by whom.
"""

import hashlib

import msgspec

from processors.output.identity import natural_id, revised
from schemas.records import Inputs, Note
from topology.model.plant import Plant
from topology.namespace.classes import MessageClass
from topology.namespace.path import Level, Path
from topology.namespace.topics import topic
from topology.nearest import hint
from uns.web.access.roles import Role
from uns.web.act.deed import Build, Deed, Kind, Refused, Told, World

DEFINITION = "page@1"
"""Of notes, which follow no definition of KPIs: how the page makes them."""


def _id(deed: Deed, kind: str) -> str:
    mark = hashlib.blake2b(deed.id.encode(), digest_size=8).hexdigest()
    return natural_id(deed.path, f"note.{kind}.{mark}", deed.said_at, DEFINITION)


def _place(plant: Plant, path: str) -> Path:
    """A line or machine of the plant. Raises `Refused` with the nearest for what is none."""
    known = {str(at) for cell in plant.cells() for at in (cell, cell.at(Level.LINE))}
    if path not in known:
        raise Refused(f"{path}: the plant model has no such machine or line; {hint(path, sorted(known))}")
    return Path.parse(path)


def _note(deed: Deed, kind: str, plant: Plant, text: str) -> tuple[str, Note]:
    place = _place(plant, deed.path)
    note = Note(
        id=revised(_id(deed, kind), 0),
        path=deed.path,
        started_at=deed.said_at,
        ended_at=None,
        definition=DEFINITION,
        status="final",
        revision=0,
        # It rests on no raw record.
        inputs=Inputs(topic(place, MessageClass.RAW), 0, -1, -1),
        kind=kind,
        about=deed.words("about"),
        text=text,
        by=deed.by,
    )
    return deed.path, note


def _said(kind: str, default: str | None = None) -> Build:
    """A note of a kind with the field `text`, and with `about` where it is about a record."""

    def build(deed: Deed, world: World) -> list[Told]:
        return [_note(deed, kind, world.plant, deed.text("text", default))]

    return build


def _took_back(kind: str) -> Build:
    def build(deed: Deed, world: World) -> list[Told]:
        note = _found(world, _id(deed, kind))
        if note.by != deed.by:
            raise Refused(f"{note.by} has said this: nobody else takes it back")
        return [_ended(note, note.started_at, deed.by)]

    return build


def _found(world: World, id_: str) -> Note:
    note = world.book.get(id_)
    if note is None:
        raise Refused("this note is not known here, or older than what the page keeps")
    return note


def _ended(note: Note, at: int, by: str) -> Told:
    revision = note.revision + 1
    return note.path, msgspec.structs.replace(
        note, id=revised(note.natural_id, revision), revision=revision, ended_at=at, ended_by=by, status="corrected"
    )


def answer(deed: Deed, world: World) -> list[Told]:
    """A call, `note` by its id, was answered when it was said."""
    note = _found(world, deed.text("note"))
    if note.kind != "call" or note.path != deed.path:
        raise Refused("note: the id of a call for help at this place is expected")
    if note.ended_at is not None:
        raise Refused(f"{note.ended_by} has answered it already")
    return [_ended(note, max(deed.said_at, note.started_at + 1), deed.by)]


def sign(deed: Deed, world: World) -> list[Told]:
    """The hand-over of a shift is signed: `shift` is its id, `part` says who signs: `gives` or `takes` it."""
    part = deed.text("part")
    if part not in ("gives", "takes"):
        raise Refused("part: gives or takes is expected")
    shift = deed.text("shift")
    for other in world.book.of(deed.path, lambda note: note.kind == "signature" and note.about == shift):
        if other.path == deed.path and (other.text == part or other.by == deed.by):
            raise Refused(f"{other.by} has signed already: one gives the shift, another takes it")
    path, note = _note(deed, "signature", world.plant, part)
    return [(path, msgspec.structs.replace(note, about=shift))]


def _kind(kind: str, role: Role, default: str | None = None) -> Kind:
    return Kind(role, _said(kind, default), _took_back(kind))


KINDS = {
    "comment": _kind("comment", Role.OPERATOR),
    "call": _kind("call", Role.OPERATOR, ""),
    "answer": Kind(Role.OPERATOR, answer),
    "scrap_reason": _kind("scrap", Role.OPERATOR),
    "handover": _kind("handover", Role.OPERATOR),
    # Who gives a shift and who takes it; what is signed stays signed.
    "sign": Kind(Role.OPERATOR, sign),
}
