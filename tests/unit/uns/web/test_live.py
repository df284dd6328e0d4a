"""The one feed: computed once for all, told only what is new, and nobody holds anything up."""

import asyncio
import json
from typing import Any, Never

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uns.web.feed import Feed
from uns.web.live import ASKS_MAX, SLOTS_MAX, Live, near
from uns.web.parts import Parts
from uns.web.screen import UnknownPlace, View, Visit


def never() -> Never:
    raise AssertionError


class Counted:
    """A screen that counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.said: Any = 1

    def view(self, visit: Visit) -> View:
        self.asked.append(visit.place)
        if visit.place == "nowhere":
            raise UnknownPlace("nowhere", ["acme/nowhere", "acme/dallas"])
        if visit.place == "broken":
            raise ZeroDivisionError("broken")
        return {"place": visit.place, "said": self.said, "now": visit.now, "fixed": 7}


def live(screen: Counted) -> Live:
    return Live({"one": screen.view}, Feed([], never, 1.0), lambda: {"now": 3}, lambda: 3)


def told(texts: list[str]) -> dict[str, Any]:
    return {slot: json.loads(said) for slot, _, said in (text.partition("\n") for text in texts)}


def ask(slot: str, place: str, **options: str) -> str:
    return json.dumps({"slot": slot, "screen": "one", "place": place, "options": options})


def test_a_view_is_computed_once_for_all_who_ask_for_it_and_told_only_if_it_changed() -> None:
    async def run() -> None:
        screen = Counted()
        feed = live(screen)
        clients = [feed.join() for _ in range(50)]
        for client in clients:
            await feed.ask(client, ask("main", "acme"))
        assert screen.asked == ["acme"]
        for client in clients:
            assert told(feed.take(client))["main"]["all"] is True
        await feed.refresh()
        assert screen.asked == ["acme", "acme"]
        assert [told(feed.take(client)).keys() for client in clients] == [{"beat"}] * 50
        screen.said = 2
        await feed.refresh()
        for client in clients:
            assert told(feed.take(client))["main"] == {"all": False, "parts": {"said": 2}, "gone": []}
        for client in clients:
            feed.leave(client)
        await feed.refresh()
        assert (feed.clients, feed.asked, len(screen.asked)) == (0, 0, 3), "what nobody looks at is not computed"

    asyncio.run(run())


def test_a_slow_client_gets_the_newest_only() -> None:
    async def run() -> None:
        screen = Counted()
        feed = live(screen)
        slow = feed.join()
        await feed.ask(slow, ask("main", "acme"))
        feed.take(slow)
        for number in range(10):
            screen.said = number
            await feed.refresh()
        texts = feed.take(slow)
        assert len(texts) == 2, "one view and one sign of life"
        assert told(texts)["main"]["parts"] == {"said": 9}
        assert feed.take(slow) == []

    asyncio.run(run())


def test_what_cannot_be_answered_is_said_and_nothing_else_suffers() -> None:
    async def run() -> None:
        feed = live(Counted())
        client = feed.join()
        for text in ("no json", '{"slot": "main"}', ask("main", "x" * 400), json.dumps({"slot": "m", "screen": "two"})):
            await feed.ask(client, text)
            assert told(feed.take(client))[""]["problem"]
        for number in range(SLOTS_MAX + 1):
            await feed.ask(client, ask(f"slot{number}", "acme"))
        assert "at once" in told(feed.take(client))[""]["problem"]
        other = feed.join()
        await feed.ask(other, ask("main", "nowhere"))
        assert told(feed.take(other))["main"]["parts"] == {
            "unknown": {"place": "nowhere", "near": ["acme/nowhere", "acme/dallas"]}
        }
        await feed.ask(other, ask("main", "broken"))
        assert told(feed.take(other))["main"]["parts"] == {"problem": "ZeroDivisionError: broken"}

    asyncio.run(run())


def test_different_views_are_bounded() -> None:
    async def run() -> None:
        feed = live(Counted())
        for number in range(ASKS_MAX // SLOTS_MAX + 1):
            client = feed.join()
            for slot in range(SLOTS_MAX):
                await feed.ask(client, ask(f"{slot}", f"{number}/{slot}"))
        assert feed.asked == ASKS_MAX
        assert "different views" in told(feed.take(client))[""]["problem"]

    asyncio.run(run())


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 2)), min_size=1, max_size=12), st.data())
def test_whoever_puts_the_parts_together_has_the_view(views: list[View], data: st.DataObject) -> None:
    """However often one looks in between."""
    parts, seen = Parts(), 0
    shown: View = {}
    for view in views:
        parts.put(view)
        if data.draw(st.booleans()) and parts.version > seen:
            said = json.loads(parts.since(seen))
            shown = {name: part for name, part in ({} if said["all"] else shown).items() if name not in said["gone"]}
            shown |= said["parts"]
            seen = parts.version
            assert shown == view


@pytest.mark.parametrize(
    ("place", "first"),
    [
        ("acme/dallas/line-1", "acme/dallas/line-2"),
        ("acme/leipzg/line-2", "acme/leipzig/line-2"),
        ("line-2", "acme/dallas/line-2"),
    ],
)
def test_the_nearest_places_come_first(place: str, first: str) -> None:
    assert near(place, ("acme/dallas/line-2", "acme/leipzig/line-2", "acme/leipzig/line-3"))[0] == first
