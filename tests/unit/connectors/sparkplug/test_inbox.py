"""What links have heard and nobody took: bounded, in order."""

import threading

import pytest

from connectors.sparkplug import inbox as module
from connectors.sparkplug.inbox import Heard, Inbox
from uns.testing.patience import patient


def heard(number: int, what: str = "message", size: int = 1) -> Heard:
    return Heard(0, what, number, data=bytes(size))  # type: ignore[arg-type]


def test_what_is_put_comes_in_order_and_is_told() -> None:
    told = threading.Event()
    inbox = Inbox()
    inbox.opened(told.set)
    for number in range(5):
        inbox.put(heard(number))
    assert told.is_set()
    assert [one.at for one in (*inbox.take(3), *inbox.take(3))] == [0, 1, 2, 3, 4]
    assert inbox.take(3) == []


@pytest.mark.parametrize(("limit", "most", "size"), [("WAITING_MAX", 3, 1), ("WAITING_MAX_BYTES", 30, 10)])
def test_who_puts_more_waits(monkeypatch: pytest.MonkeyPatch, limit: str, most: int, size: int) -> None:
    monkeypatch.setattr(module, limit, most)
    inbox = Inbox()
    inbox.opened(lambda: None)
    for number in range(3):
        inbox.put(heard(number, size=size))
    assert inbox.full
    inbox.put(heard(9, "lost"))
    waiting = threading.Thread(target=inbox.put, args=(heard(3, size=size),))
    waiting.start()
    assert [one.at for one in inbox.take(4)] == [0, 1, 2, 9], "what is told of a link has always room"
    waiting.join(patient(10))
    assert not waiting.is_alive()
    assert [one.at for one in inbox.take(4)] == [3]


def test_a_closed_one_lets_everybody_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING_MAX", 1)
    inbox = Inbox()
    inbox.opened(lambda: None)
    inbox.put(heard(0))
    waiting = threading.Thread(target=inbox.put, args=(heard(1),))
    waiting.start()
    inbox.close()
    waiting.join(patient(10))
    assert not waiting.is_alive()
    assert inbox.take(5) == []
    inbox.opened(lambda: None)
    inbox.put(heard(2))
    assert [one.at for one in inbox.take(5)] == [2]
