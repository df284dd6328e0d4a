"""Counting by hand in a real browser: recorded is what Kafka has, once, and nothing that was typed is lost."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.harness.browser import CHROMIUM, Page, browser
from tests.harness.http_ingest import PLACE, Running, running

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no browser is here; install chromium")
FORM = {"machines": ["acme/austin/mixing/line-2/mixer", PLACE], "tags": {"Good": "Good bottles", "Scrap": "Scrap"}}
SAID = "document.querySelector('#said').textContent"
SIZES = ((390, 844), (1024, 768), (1920, 1080))


@asynccontextmanager
async def counting(tmp_path: Path, confirms: bool = True, answer_s: float = 10) -> AsyncIterator[tuple[Running, Page]]:
    """A page at which a token was typed."""
    async with running(confirms=confirms, answer_s=answer_s, form=FORM) as here, browser(tmp_path / "profile") as page:
        await page.open(f"{here.config.url}/form")
        await page.until("document.querySelector('#token').offsetHeight")
        await page.type("#token", "dallas")
        await page.press("#login button")
        await page.until("document.querySelector('#count-0').offsetHeight")
        yield here, page
        assert page.trouble == [], "scripts ran, and the security policy refused nothing of ours"


def values(here: Running) -> list[tuple[str, object]]:
    return [(reading.sample.tag, reading.sample.value) for batch in here.batches for reading in batch.readings]


async def shots(page: Page, name: str) -> None:
    """Pictures to look at, into the folder of UNS_SCREENSHOTS."""
    if folder := os.environ.get("UNS_SCREENSHOTS"):
        for width, height in SIZES:
            await page.tell("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)  # fmt: skip
            picture = await page.picture()
            await asyncio.to_thread(Path(folder, f"form-{name}-{width}x{height}.png").write_bytes, picture)


def test_counts_are_recorded_once_however_often_it_is_pressed(tmp_path: Path) -> None:
    async def go() -> None:
        async with counting(tmp_path, confirms=False) as (here, page):
            offered = await page.run("[...document.querySelector('#machine').options].map(o => o.value)")
            assert offered == [PLACE], "those of the token"
            await page.type("#count-0", "17")
            await page.type("#count-1", "2")
            await shots(page, "typed")
            await page.press("#send", times=2)
            await here.came.wait()
            assert "Recorded" not in await page.run(SAID), "Kafka does not have it yet"
            here.confirms.set()
            await page.until(f"{SAID}.startsWith('Recorded: Good bottles 17, Scrap 2')")
            await shots(page, "recorded")
            assert values(here) == [("Good", 17), ("Scrap", 2)]
            assert await page.run("document.querySelector('#count-0').value") == ""
            await page.type("#count-0", "17")
            await page.press("#send")
            await page.until(f"{SAID}.startsWith('Recorded: Good bottles 17 ')")
            assert values(here) == [("Good", 17), ("Scrap", 2), ("Good", 17)], "the same number again counts again"

    asyncio.run(go())


def test_what_was_not_confirmed_stays_and_counts_once(tmp_path: Path) -> None:
    async def go() -> None:
        async with counting(tmp_path, confirms=False, answer_s=0.5) as (here, page):
            await page.type("#count-0", "5")
            await page.press("#send")
            await page.until(f"{SAID}.includes('Kafka has not confirmed it')")
            await shots(page, "unconfirmed")
            assert await page.run("document.querySelector('#count-0').value") == "5"
            assert await page.run("document.querySelector('#count-0').disabled"), "it may be there: not to be changed"
            here.confirms.set()
            await page.open(f"{here.config.url}/form")  # somebody loads it anew
            await page.until(f"{SAID}.startsWith('Recorded: Good bottles 5')")
            assert values(here) == [("Good", 5)]
            await page.offline(True)
            await page.type("#count-1", "3")
            await page.press("#send")
            await page.until(f"{SAID}.includes('cannot be reached')")
            await page.offline(False)
            await page.until(f"{SAID}.startsWith('Recorded: Scrap 3')")
            assert values(here) == [("Good", 5), ("Scrap", 3)]

    asyncio.run(go())


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    async def go() -> None:
        async with counting(tmp_path) as (here, page):
            await page.press("#send")
            await page.until(f"{SAID}.includes('Type a number first')")
            await page.type("#count-0", "1.5")
            await page.press("#send")
            await page.until(f"{SAID}.includes('is not a whole number')")
            await shots(page, "wrong")
            assert values(here) == []
            kept = await page.run("[JSON.stringify(localStorage), document.cookie, location.href]")
            assert kept == ["{}", "", f"{here.config.url}/form"], "the token is in the tab's own store alone"
            small = "[...document.querySelectorAll('#counts input, #counts select, #counts button:not([hidden])')]"
            assert await page.run(f"{small}.every(e => e.getBoundingClientRect().height >= 64)"), "for gloves"
            assert await page.run("document.documentElement.scrollWidth <= innerWidth"), "nothing hangs out"
            await page.press("#leave")
            await page.type("#token", "nobody")
            await page.press("#login button")
            await page.until(f"{SAID}.includes('token is not known')")
            await shots(page, "login")

    asyncio.run(go())
