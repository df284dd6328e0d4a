"""What the screen of alarms says: what stands, who has seen it, how the system does."""

from typing import Any

import msgspec
import pytest

from schemas.records import Alert
from tests.harness.records import EXAMPLES
from tests.unit.uns.web.test_board import MINUTE, PATH, T0, current
from uns.web.alarms.view import view
from uns.web.board import Board
from uns.web.screen import UnknownPlace, Visit

(EXAMPLE,) = (record for record in EXAMPLES if isinstance(record, Alert))


def alert(number: int, at: int, **more: Any) -> Alert:
    fields = {
        "id": f"{PATH}#alert.a{number}@{at}~iso22400@1:0",
        "path": PATH,
        "started_at": at,
        "ended_at": None,
        "severity": "high",
        "state": "raised",
        "alarm": f"a{number}",
        "alarm_state": "unacknowledged",
        "annunciated_at": at,
        "acknowledged_by": None,
        "message": f"{PATH} is too hot",
        "hidden_by": None,
        "hidden_until": None,
    }
    return msgspec.structs.replace(EXAMPLE, **fields | more)


def board(*alerts: Alert) -> Board:
    made = Board(order=(PATH,))
    made.apply(current(T0))
    for each in alerts:
        made.apply(each)
    return made


def test_what_stands_comes_by_urgency_and_what_is_hidden_last() -> None:
    shown = view(
        board(
            alert(1, T0 - 3 * MINUTE, severity="low"),
            alert(2, T0 - 2 * MINUTE, severity="critical"),
            alert(3, T0 - MINUTE, state="shelved", alarm_state="shelved", hidden_by="ann", hidden_until=T0 + MINUTE),
        ),
        Visit("acme/dallas"),
    )
    assert [(one["alarm"], one["hidden"]) for one in shown["open"]["list"]] == [
        ("a2", False),
        ("a1", False),
        ("a3", True),
    ]
    assert shown["open"]["list"][0]["message"] == "filler is too hot"


def test_what_is_over_is_history_and_what_nobody_saw_stands_still() -> None:
    over = {"state": "cleared", "ended_at": T0 - MINUTE}
    shown = view(
        board(
            alert(1, T0 - 5 * MINUTE, **over, alarm_state="normal", acknowledged_by="ann"),
            alert(2, T0 - 5 * MINUTE, **over, alarm_state="returned_unacknowledged"),
            alert(3, T0 - 600 * MINUTE, state="cleared", ended_at=T0 - 590 * MINUTE, alarm_state="normal"),
        ),
        Visit(PATH),
    )
    assert [one["alarm"] for one in shown["open"]["list"]] == ["a2"]
    assert {one["alarm"] for one in shown["history"]["list"]} == {"a1", "a2"}
    longer = view(
        board(alert(3, T0 - 600 * MINUTE, state="cleared", ended_at=T0 - 590 * MINUTE)), Visit(PATH, {"period": "24h"})
    )
    assert [one["alarm"] for one in longer["history"]["list"]] == ["a3"]


def test_the_figures_are_those_of_eemua() -> None:
    flood = [alert(n, T0 - n * MINUTE // 4) for n in range(40)]
    figures = view(board(*flood), Visit(PATH, {"period": "1h"}))["figures"]
    assert (figures["alarms"], figures["verdict"]) == (40, "too many")
    assert figures["worst"] > 10
    assert figures["flood_share"] > 0
    assert view(board(), Visit(PATH))["figures"]["verdict"] == "acceptable"


def test_an_unknown_place_is_unknown() -> None:
    with pytest.raises(UnknownPlace):
        view(board(), Visit("acme/nowhere"))
    assert view(Board(), Visit()) == {"place": None}
