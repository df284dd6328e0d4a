"""A token: one fetch for all, new before its end, and pauses where what is fetched does not help."""

import asyncio

import pytest

from sinks.base import Retryable
from sinks.rest.auth.signing import NotAccepted
from sinks.rest.auth.token import PAUSE_MAX_S, Fetched, Token
from tests.unit.sinks.rest.auth.asked import Asked, Clock


class Issuer:
    """Numbers its tokens."""

    def __init__(self, holds_s: float | None = None) -> None:
        self.given, self.holds_s, self.broken = 0, holds_s, False

    async def fetch(self, ask: object) -> Fetched:
        await asyncio.sleep(0)
        if self.broken:
            raise NotAccepted("down")
        self.given += 1
        return Fetched(f"t{self.given}", self.holds_s)


def token(issuer: Issuer, clock: Clock) -> Token:
    return Token(issuer.fetch, clock)


def test_ten_that_need_one_at_the_same_time_fetch_one() -> None:
    issuer, ask = Issuer(), Asked([]).ask

    async def go() -> list[str]:
        held = token(issuer, Clock())
        return list(await asyncio.gather(*(held.get(ask) for _ in range(10))))

    assert asyncio.run(go()) == ["t1"] * 10
    assert issuer.given == 1


@pytest.mark.parametrize(("holds_s", "until_s"), [(3600.0, 3570.0), (100.0, 90.0), (0.5, 0.45)])
def test_it_is_new_shortly_before_its_end(holds_s: float, until_s: float) -> None:
    issuer, clock, ask = Issuer(holds_s), Clock(), Asked([]).ask

    async def go() -> None:
        held = token(issuer, clock)
        assert await held.get(ask) == "t1"
        clock.now += until_s - 0.01
        assert await held.get(ask) == "t1"
        clock.now += 0.02
        assert await held.get(ask) == "t2"

    asyncio.run(go())


def test_who_comes_late_with_a_token_that_was_replaced_changes_nothing() -> None:
    issuer, ask = Issuer(), Asked([]).ask

    async def go() -> None:
        held = token(issuer, Clock())
        await held.get(ask)
        held.refused("t1")
        assert await held.get(ask) == "t2"
        held.refused("t1")
        held.accepted("t1")
        assert await held.get(ask) == "t2"

    asyncio.run(go())


def test_tokens_that_are_refused_one_after_the_other_are_no_storm() -> None:
    issuer, clock, ask = Issuer(), Clock(), Asked([]).ask

    async def go() -> list[float]:
        held, waits = token(issuer, clock), []
        for _ in range(1000):
            try:
                held.refused(await held.get(ask))
            except NotAccepted as error:
                waits.append(error.wait_s)
                clock.now += error.wait_s
        return waits

    waits = asyncio.run(go())
    assert waits == sorted(waits)
    assert waits[0] == pytest.approx(1)
    assert waits[-1] == pytest.approx(PAUSE_MAX_S)
    assert clock.now > 1_000 + 300 * PAUSE_MAX_S, "hundreds of tries take hours"


def test_one_that_is_taken_ends_the_pauses() -> None:
    issuer, clock, ask = Issuer(), Clock(), Asked([]).ask

    async def go() -> None:
        held = token(issuer, clock)
        held.refused(await held.get(ask))
        held.accepted(await held.get(ask))
        held.refused("t2")
        assert await held.get(ask) == "t3", "at once"

    asyncio.run(go())


def test_an_issuer_that_is_away_is_asked_once_a_pause() -> None:
    issuer, clock, ask = Issuer(), Clock(), Asked([]).ask
    issuer.broken = True

    async def go() -> None:
        held = token(issuer, clock)
        with pytest.raises(Retryable, match=r"^down$"):
            await held.get(ask)
        with pytest.raises(NotAccepted, match=r"down; it is tried again in 1 s"):
            await held.get(ask)
        issuer.broken = False
        clock.now += 1.01
        assert await held.get(ask) == "t1"

    asyncio.run(go())
