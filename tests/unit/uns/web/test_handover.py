"""What the hand-over of a shift says: of the records that a small plant has."""

from typing import Any

import msgspec
import pytest

from processors.output.identity import natural_id, revised
from schemas.records import Downtime, Inputs, Note, Oee
from tests.harness.plant_records import FILLER, LINE, PACKER, records
from uns.web.board import Board
from uns.web.handover.view import view
from uns.web.screen import UnknownPlace, Visit

MINUTE = 60_000_000


def note(kind: str, at: int, text: str, **more: Any) -> Note:
    id_ = revised(natural_id(LINE, f"note.{kind}.{at}{text[:2]}", at, "page@1"), more.pop("revision", 0))
    fields = {"ended_at": None, "definition": "page@1", "status": "final", "revision": 0, "by": "ann"} | more
    return Note(id=id_, path=LINE, started_at=at, inputs=Inputs("", 0, -1, -1), kind=kind, text=text, **fields)


def board(*more: Any) -> Board:
    made = Board(oee_target=0.75)
    for record in (*records(), *more):
        made.apply(record)
    return made


def test_a_shift_has_what_was_made_what_stood_and_what_is_open() -> None:
    shown = view(board(), Visit(LINE))
    assert {one["path"] for one in shown["made"]} == {FILLER, PACKER}
    assert shown["stops"]["bars"]
    assert len(shown["stops"]["bars"]) <= 5
    assert [alarm["path"] for alarm in shown["alarms"]] == [PACKER]
    assert shown["shift"]["id"] == shown["shifts"][0]["id"]
    for stop in shown["unexplained"]:
        assert stop["code"] is None


def test_a_stop_with_a_reason_is_explained() -> None:
    shown = view(board(), Visit(LINE))
    bare = list(shown["unexplained"])
    some = board()
    for cell in some.cells.values():
        for stop in list(cell.stops):
            assert isinstance(stop, Downtime)
            told = msgspec.structs.replace(stop, reason_code=201, reason="gripper fault", revision=stop.revision + 1)
            cell.stops.put(told)
    assert view(some, Visit(LINE))["unexplained"] == []
    assert len(bare) == len({stop["id"] for stop in bare})


def test_notes_calls_and_signatures_are_of_their_shift() -> None:
    shift = view(board(), Visit(LINE))["shift"]
    at = shift["begin"] + MINUTE
    shown = view(
        board(
            note("handover", at, "watch the gripper"),
            note("handover", shift["begin"] - MINUTE, "of the shift before"),
            note("comment", at, "taken back", ended_at=at),
            note("call", at, "conveyor squeals"),
            note("signature", at, "gives", about=shift["id"]),
            note("signature", at + 1, "takes", about="another-shift", by="bob"),
        ),
        Visit(LINE),
    )
    assert {one["text"] for one in shown["notes"]} == {"watch the gripper", "conveyor squeals"}
    assert [one["text"] for one in shown["calls"]] == ["conveyor squeals"]
    assert {part: one["by"] for part, one in shown["signatures"].items()} == {"gives": "ann"}


def test_without_shifts_it_says_so_and_an_unknown_line_is_unknown() -> None:
    bare = Board()
    for record in records():
        if not isinstance(record, Oee):
            bare.apply(record)
    assert view(bare, Visit(LINE))["shift"] is None
    assert view(Board(), Visit()) == {"line": None}
    with pytest.raises(UnknownPlace):
        view(bare, Visit("acme/nowhere"))
