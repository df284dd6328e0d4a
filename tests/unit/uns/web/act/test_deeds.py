"""What deeds come to, seen where it counts: in what the fold makes of their facts."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Note
from schemas.text import to_plain
from tests.harness.fold_files import CELL, LINE, at, folded, of, only, plant, samples
from uns.web.access.roles import ANYBODY, Role, Who
from uns.web.act import book
from uns.web.act.book import Book
from uns.web.act.deed import Word
from uns.web.act.desk import AHEAD_US, DONE_MAX, KINDS, OLDEST_US, UNDO, Answer, Desk
from uns.web.act.inspection import implausible

TAGS = {
    "State": {"role": "state", "map": {"RUN": "execute", "STOP": "stopped"}},
    "Good": {"role": "good_count"},
    "Scrap": {"role": "scrap_count", "counts": "increments"},
    "Volume": {"role": "characteristic", "lsl": 495.0, "usl": 505.0},
}
MODEL = plant(tags=TAGS)
DAY = [
    samples("06:00", State="RUN", Good=0),
    samples("09:00", State="STOP"),
    samples("09:40", State="RUN"),
    samples("10:00", State="STOP"),
    samples("10:30", State="RUN"),
    samples("12:00", Good=5000),
]
STOP, STOP_END = at("09:00"), at("09:40")
ANN = Who("ann", {"acme/dallas": Role.OPERATOR})


class Shop:
    """A desk whose facts go to a list, and a fold over the day and that list."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Word]] = []
        self.away: str | None = None
        self.now = at("12:00")
        self.number = 0
        self.book = Book()
        self.desk = Desk(MODEL, self._tell, lambda: self.now, self.book)

    async def _tell(self, path: str, fact: Word) -> str | None:
        if self.away is None and isinstance(fact, Note):
            self.book.apply(fact)  # as the feed brings it
        elif self.away is None:
            self.told.append((path, fact))
        return self.away

    def does(self, kind: str, who: Who = ANN, path: str = CELL, **fields: Any) -> Answer:
        self.number += 1
        said = {"id": f"deed-{self.number:06}", "path": path, **fields}
        return asyncio.run(self.desk.take(kind, said, who))

    def folded(self) -> Any:
        return folded(MODEL, *DAY, *({**to_plain(fact), "path": path} for path, fact in self.told), until="12:00")

    def stops(self, stop: int = STOP) -> list[tuple[int, int, int | None, str | None]]:
        """(begin, end, code, who) of the parts of a stop, in minutes after its begin."""
        found = [part for part in of(self.folded(), "downtime") if part.stop_started_at == stop]
        return [
            (
                (part.started_at - stop) // 60_000_000,
                (part.ended_at - stop) // 60_000_000,
                part.reason_code,
                part.reason_by,
            )
            for part in sorted(found, key=lambda part: part.started_at)
        ]


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_a_reason_explains_its_stop_with_who_said_it(shop: Shop) -> None:
    answer = shop.does("reason", code=101, started_at=STOP, comment="bottle across")
    assert answer == Answer(200, undo=True)
    assert shop.stops() == [(0, 40, 101, "ann")]
    assert shop.told[0][1].comment == "bottle across"  # type: ignore[union-attr]


def test_a_better_reason_replaces_it_and_undo_gives_the_first_back(shop: Shop) -> None:
    shop.does("reason", code=101, started_at=STOP)
    second = {"kind": "reason", "id": "deed-second", "path": CELL, "code": 201, "started_at": STOP, "was_code": 101}
    assert asyncio.run(shop.desk.take("reason", second, ANN)).status == 200
    assert shop.stops() == [(0, 40, 201, "ann")]
    assert shop.does(UNDO, of=second).status == 200
    assert shop.stops() == [(0, 40, 101, "ann")]


def test_a_reason_that_is_undone_was_never_given(shop: Shop) -> None:
    said = {"kind": "reason", "id": "deed-first", "path": CELL, "code": 101, "started_at": STOP}
    asyncio.run(shop.desk.take("reason", said, ANN))
    assert shop.does(UNDO, of=said).status == 200
    assert shop.stops() == Shop().stops() == [(0, 40, None, None)]


def test_a_stop_is_split_put_back_and_several_are_put_together(shop: Shop) -> None:
    said = {"kind": "split", "id": "deed-split", "path": CELL, "code": 101, "code_after": 201}
    said |= {"started_at": STOP, "at": at("09:15"), "ended_at": STOP_END}
    assert asyncio.run(shop.desk.take("split", said, ANN)).status == 200
    assert shop.stops() == [(0, 15, 101, "ann"), (15, 40, 201, "ann")]
    together: dict[str, Any] = {"code": 201, "started_at": STOP, "ended_at": at("10:30"), "parts": [at("09:15")]}
    assert shop.does("merge", **together).status == 200
    assert shop.stops() == [(0, 40, 201, "ann")]
    assert shop.stops(at("10:00")) == [(0, 30, 201, "ann")]
    other = Shop()
    asyncio.run(other.desk.take("split", said, ANN))
    assert other.does(UNDO, of=said).status == 200
    assert other.stops() == [(0, 40, None, None)]


@given(st.integers(1, 39), st.permutations(["split", "reason", "undo"]))
def test_however_it_is_cut_the_parts_are_the_stop(minute: int, order: list[str]) -> None:
    shop = Shop()
    cut = {"kind": "split", "id": "deed-split", "path": CELL, "code": 101, "code_after": 201, "ended_at": STOP_END}
    cut |= {"started_at": STOP, "at": STOP + minute * 60_000_000}
    for step in order:
        if step == "split":
            asyncio.run(shop.desk.take("split", cut, ANN))
        elif step == "reason":
            shop.does("reason", code=201, started_at=STOP)
        else:
            shop.does(UNDO, of=cut)
    parts = shop.stops()
    assert parts[0][0] == 0 and parts[-1][1] == 40  # noqa: PT018 (one statement: it begins and ends as the stop)
    assert [part[1] for part in parts[:-1]] == [part[0] for part in parts[1:]]


def test_pieces_counted_by_hand_count_once_however_often_they_come(shop: Shop) -> None:
    said = {"id": "deed-count", "path": CELL, "what": "scrap", "pieces": 7, "said_at": at("11:00")}
    for _ in range(2):
        assert asyncio.run(shop.desk.take("count", said, ANN)).status == 200
    again = Desk(MODEL, shop._tell, lambda: shop.now)  # the page was started anew, and the browser sends it again
    assert asyncio.run(again.take("count", said, ANN)).status == 200
    assert len(shop.told) == 2
    assert sum(record.scrap for record in of(shop.folded(), "production")) == 7
    refused = shop.does("count", what="good", pieces=5)
    assert refused.status == 422 and "would count twice" in str(refused.problem)  # noqa: PT018


def test_an_order_begins_pauses_goes_on_and_ends(shop: Shop) -> None:
    shop.does("order_start", path=LINE, order="4711", product="cola", planned_quantity=900, said_at=at("07:00"))
    shop.does("order_pause", path=LINE, order="4711", product="cola", started_at=at("07:00"), said_at=at("08:00"))
    shop.does("order_resume", path=LINE, order="4711", product="cola", said_at=at("08:30"))
    shop.does("order_end", path=LINE, order="4711.2", product="cola", started_at=at("08:30"), said_at=at("11:00"))
    windows = [w for w in of(shop.folded(), "oee", window="order") if w.path == CELL]
    assert {w.window_name: (w.started_at, w.ended_at) for w in windows} == {
        "4711": (at("07:00"), at("08:00")),
        "4711.2": (at("08:30"), at("11:00")),
    }


def test_a_measurement_that_looks_like_a_slip_is_asked_about(shop: Shop) -> None:
    asked = shop.does("inspection", characteristic="Volume", value=5015.0)
    assert (asked.status, asked.confirm) == (409, True)
    assert "far outside of 495 to 505" in str(asked.problem)
    assert shop.does("inspection", characteristic="Volume", value=5015.0, confirmed=True).status == 200
    assert shop.does("inspection", characteristic="Volume", value=501.5).status == 200
    assert [record.value for record in of(shop.folded(), "quality")] != []


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_what_is_within_specification_is_never_asked_about(value: float, low: float, width: float) -> None:
    high = low + width
    if low <= value <= high:
        assert implausible(value, low, high) is None
    assert implausible(value, None, None) is None


def test_an_alarm_is_put_aside_and_taken_back_from_then_on(shop: Shop) -> None:
    said = {"kind": "shelve", "id": "deed-shelf", "path": CELL, "alarm": "silent", "minutes": 30, "comment": "sensor"}
    said["said_at"] = at("11:00")
    assert asyncio.run(shop.desk.take("shelve", said, ANN)).status == 200
    assert shop.does(UNDO, of=said, said_at=at("11:10")).status == 200
    first, second = (fact for _, fact in shop.told)
    assert (first.ended_at, second.ended_at) == (at("11:30"), at("11:10"))  # type: ignore[union-attr]
    assert first.id == second.id  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        ("reason", {"code": 999, "started_at": STOP}, "has code 999"),
        ("reason", {"code": "x", "started_at": STOP}, "code: a whole number"),
        ("reason", {"code": True, "started_at": STOP}, "code: a whole number"),
        ("reason", {"code": 101, "started_at": STOP, "comment": "x" * 1001}, "at most 1000 characters"),
        ("reason", {"code": 101, "started_at": STOP, "path": "acme/dallas/packaging/line-1/filer"}, "did you mean"),
        ("reason", {"code": 101, "started_at": STOP, "path": "Acme"}, "acme"),
        ("reason", {"code": 101, "started_at": STOP, "said_at": at("12:00") - OLDEST_US - 1}, "within the last 7 days"),
        ("reason", {"code": 101, "started_at": STOP, "said_at": at("12:00") + AHEAD_US + 1}, "clock"),
        ("reason", {"code": 101, "started_at": STOP, "id": "../x"}, "id: 8 to 80"),
        ("split", {"code": 101, "code_after": 201, "started_at": STOP, "at": STOP}, "a time inside the stop"),
        ("order_end", {"order": "1", "product": "c", "started_at": at("12:00")}, "end before it begins"),
        ("shelve", {"alarm": "silent", "minutes": 30}, "comment: a text is expected"),
        ("shelve", {"alarm": "slient", "minutes": 30, "comment": "x"}, "silent"),
        ("acknowledge", {"alert": "nonsense"}, "is no alert's id"),
        ("inspection", {"characteristic": "Volume", "value": "5"}, "value: a number"),
        ("undo", {"of": {"kind": "merge", "id": "deed-merge", "path": CELL}}, "cannot be taken back"),
        ("undo", {"of": 7}, "of: the deed"),
        ("resaon", {}, "did you mean"),
    ],
)
def test_what_cannot_be_is_refused_in_words_and_tells_nothing(
    kind: str, fields: dict[str, Any], words: str, shop: Shop
) -> None:
    who = Who("ann", {"": Role.ADMIN})
    path = fields.pop("path", CELL)
    answer = shop.does(kind, who, path, **fields)
    assert answer.status == 422, answer
    assert words.lower() in str(answer.problem).lower()
    assert shop.told == []
    json.dumps(answer.problem)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_viewer_does_nothing_and_an_operator_nothing_elsewhere(kind: str, shop: Shop) -> None:
    fields: dict[str, Any] = {"code": 101, "started_at": STOP, "minutes": 5}
    for who in (Who("eve", {"": Role.VIEWER}), Who("bob", {"acme/dallas2": Role.ADMIN}), Who("nil", {})):
        answer = shop.does(kind, who, **fields)
        assert answer.status == 403
        assert "it takes the role" in str(answer.problem)
        undone = shop.does(UNDO, who, of={"kind": kind, "id": "deed-other", "path": CELL, **fields})
        assert undone.status == 403
    assert shop.told == []


def test_an_operator_shelves_for_an_hour_and_a_supervisor_for_longer(shop: Shop) -> None:
    fields: dict[str, Any] = {"alarm": "silent", "comment": "sensor"}
    assert shop.does("shelve", minutes=60, **fields).status == 200
    assert shop.does("shelve", minutes=61, **fields).status == 403
    assert shop.does("shelve", Who("sue", {"acme": Role.SUPERVISOR}), minutes=61, **fields).status == 200


def test_a_word_that_comes_late_does_not_replace_a_later_one(shop: Shop) -> None:
    shop.does("reason", code=201, started_at=STOP, said_at=at("11:00"))
    late = shop.does("reason", code=101, started_at=STOP, said_at=at("10:59"))
    assert late.status == 409
    assert shop.stops() == [(0, 40, 201, "ann")]


def test_what_could_not_be_told_is_told_when_it_comes_again(shop: Shop) -> None:
    shop.away = "Kafka did not answer in 10 s"
    said = {"id": "deed-again", "path": CELL, "code": 101, "started_at": STOP}
    assert asyncio.run(shop.desk.take("reason", said, ANN)) == Answer(503, shop.away)
    shop.away = None
    assert asyncio.run(shop.desk.take("reason", said, ANN)) == Answer(200, undo=True)
    assert asyncio.run(shop.desk.take("reason", said, ANN)) == Answer(200, undo=True, again=True)
    assert len(shop.told) == 1


def test_without_a_plant_model_nothing_is_taken() -> None:
    async def never(path: str, fact: Word) -> str | None:
        raise AssertionError

    answer = asyncio.run(Desk(None, never, lambda: 0).take("reason", {}, ANYBODY))
    assert answer.status == 503


def test_who_did_not_sign_in_is_marked(shop: Shop) -> None:
    shop.does("reason", ANYBODY, code=101, started_at=STOP, by="bob")
    assert shop.stops() == [(0, 40, 101, "bob (not signed in)")]
    shop.does("reason", ANN, code=201, started_at=STOP, by="bob")
    assert shop.stops() == [(0, 40, 201, "ann")]


def test_what_the_desk_remembers_is_bounded(shop: Shop) -> None:
    async def many() -> None:
        for n in range(DONE_MAX + 10):
            said = {"id": f"many-{n:08}", "path": CELL, "code": 101, "started_at": STOP + n}
            assert (await shop.desk.take("reason", said, ANN)).status == 200

    asyncio.run(many())
    assert len(shop.desk._done) == DONE_MAX


def test_an_alert_is_acknowledged_by_who_is_signed_in(shop: Shop) -> None:
    shop.does("reason", code=201, started_at=STOP)
    alert = only(shop.folded(), "alert")
    assert shop.does("acknowledge", alert=alert.natural_id, comment="on my way", said_at=at("09:20")).status == 200
    assert only(shop.folded(), "alert").acknowledged_by == "ann"


def test_a_call_for_help_stands_until_somebody_answers_it(shop: Shop) -> None:
    assert shop.does("call", text="conveyor squeals", said_at=at("11:00")) == Answer(200, undo=True)
    (call,) = shop.book.of(LINE)
    assert (call.kind, call.by, call.ended_at) == ("call", "ann", None)
    bob = Who("bob", {"acme": Role.OPERATOR})
    assert shop.does("answer", bob, note=call.natural_id, said_at=at("11:05")).status == 200
    (answered,) = shop.book.of(LINE)
    assert (answered.text, answered.by, answered.ended_by, answered.ended_at) == (call.text, "ann", "bob", at("11:05"))
    assert "bob has answered" in str(shop.does("answer", note=call.natural_id).problem)


def test_a_note_is_one_however_often_it_comes_and_is_taken_back(shop: Shop) -> None:
    said = {"kind": "comment", "id": "deed-note", "path": LINE, "text": "slow since noon", "said_at": at("11:00")}
    for desk in (shop.desk, Desk(MODEL, shop._tell, lambda: shop.now, shop.book)):
        assert asyncio.run(desk.take("comment", said, ANN)).status == 200
    assert len(shop.book) == 1
    assert "nobody else" in str(shop.does(UNDO, Who("bob", {"": Role.ADMIN}), of=said).problem)
    assert shop.does(UNDO, of=said).status == 200
    assert list(shop.book.of("")) == []
    assert shop.does("comment", path="acme/dallas/packaging/line-2", text="x").status == 422


def test_a_shift_is_handed_over_by_two_people(shop: Shop) -> None:
    bob = Who("bob", {"acme": Role.OPERATOR})
    assert shop.does("sign", path=LINE, shift="early-23", part="gives").status == 200
    assert "another takes it" in str(shop.does("sign", path=LINE, shift="early-23", part="takes").problem)
    assert shop.does("sign", bob, path=LINE, shift="early-23", part="gives").status == 422
    assert shop.does("sign", bob, path=LINE, shift="early-23", part="takes").status == 200
    assert {(note.text, note.by) for note in shop.book.of(LINE)} == {("gives", "ann"), ("takes", "bob")}
    assert shop.does("sign", path=LINE, shift="late-23", part="takes").status == 200


def test_the_book_is_bounded_and_the_first_makes_room(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book, "NOTES_MAX", 3)
    for minute in range(5):
        shop.does("comment", path=LINE, text=str(minute), said_at=at(f"11:0{minute}"))
    assert [note.text for note in shop.book.of(LINE)] == ["4", "3", "2"]
