"""Every screen in a real browser: at three sizes nothing lies over anything, and nobody is kept out."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from schemas.records import Acknowledge
from tests.harness.browser import CHROMIUM, Page, browser
from tests.harness.plant_records import FILLER, LINE, PACKER, T0, alert, snapshot
from tests.harness.screens import Pages, pages

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no browser is here; install chromium")

AXE = (Path(__file__).parents[3] / "vendor" / "axe" / "axe.min.js").read_text(encoding="utf-8")
SIZES = ((1920, 1080), (1280, 800), (390, 844))
PLACES = {
    "overview": "acme",
    "line": LINE,
    "andon": LINE,
    "machine": FILLER,
    "losses": LINE,
    "alarms": LINE,
    "topics": FILLER,
    "handover": LINE,
}
OVER = """(() => {
  const seen = [], over = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; node = walker.nextNode();) {
    const owner = node.parentElement;
    if (!node.data.trim() || owner.closest('.heard, noscript, title, option, [hidden], details:not([open]) > :not(summary)')) continue;
    const range = document.createRange(); range.selectNodeContents(node);
    for (const r of range.getClientRects()) if (r.width > 1 && r.height > 1) seen.push({text: node.data.trim().slice(0, 30), owner, l: r.left + 1, r: r.right - 1, t: r.top + 3, b: r.bottom - 3});
  }
  for (const e of document.querySelectorAll('input, select')) { const r = e.getBoundingClientRect(); if (r.width) seen.push({text: e.tagName, owner: e, l: r.left, r: r.right, t: r.top, b: r.bottom}); }
  const clip = e => { for (let p = e.owner.parentElement; p; p = p.parentElement) { const s = getComputedStyle(p); if (s.overflowX !== 'visible' || s.overflowY !== 'visible') { const r = p.getBoundingClientRect(); e.l = Math.max(e.l, r.left); e.r = Math.min(e.r, r.right); e.t = Math.max(e.t, r.top); e.b = Math.min(e.b, r.bottom); } } };
  seen.forEach(clip);
  const left = seen.filter(e => e.r > e.l && e.b > e.t);
  left.forEach((a, n) => left.slice(n + 1).forEach(b => { if (a.owner !== b.owner && a.l < b.r && b.l < a.r && a.t < b.b && b.t < a.b) over.push(a.text + ' | ' + b.text); }));
  return {count: left.length, over, wide: Math.max(document.documentElement.scrollWidth - innerWidth, 0)};
})()"""
"""Which texts and fields lie over each other, and how much wider the page is than the window."""
SMALL = """[...document.querySelectorAll('button, select, input, nav a, .tile h2 a, summary')].filter(e => e.offsetParent && !e.closest('[hidden]'))
  .map(e => [e.innerText || e.getAttribute('aria-label') || e.tagName, e.getBoundingClientRect()]).filter(([, r]) => r.height && r.height < 43.5).map(([t, r]) => t.slice(0, 20) + ' ' + Math.round(r.height))"""


@pytest.fixture
def shown() -> Iterator[Pages]:
    with pages() as running:
        yield running


def drive(folder: Path, steps: Any) -> None:
    async def run() -> None:
        async with browser(folder) as page:
            await steps(page)

    asyncio.run(run())


async def at(
    page: Page, shown: Pages, screen: str, place: str | None = None, width: int = 1280, height: int = 800
) -> None:
    """Opens a screen, and waits until it is drawn and live."""
    await page.open(f"{shown.url}/{screen}/{PLACES[screen] if place is None else place}", width, height)
    await page.until(
        "uns.link.views.main && document.querySelector('main .screen').children.length && !document.body.classList.contains('stale')"
        " && !document.querySelector('main').innerText.includes('loading')"
    )


def whole(page: Page, shown: Pages) -> None:
    """Nothing went wrong in the browser, and it asked nobody else for anything."""
    assert page.trouble == []
    assert page.requests
    strangers = [
        url
        for url in page.requests
        if not url.startswith((shown.url, shown.url.replace("http", "ws"), "data:", "about:"))
    ]
    assert strangers == []


@pytest.mark.parametrize("screen", PLACES)
def test_a_screen_fits_and_keeps_nobody_out(screen: str, shown: Pages, tmp_path: Path) -> None:
    async def steps(page: Page) -> None:
        for width, height in SIZES:
            await at(page, shown, screen, width=width, height=height)
            await page.until(
                "document.fonts.status === 'loaded' && document.querySelectorAll('main svg, main .state, main .sign, main .severity, main .rows li').length"
            )
            found = await page.run(OVER)
            assert found["count"] > 8
            assert (found["over"], found["wide"]) == ([], 0), (screen, width)
            if width < 600:
                assert await page.run(SMALL) == [], screen
            if screen == "andon":
                assert await page.run("document.documentElement.scrollHeight - innerHeight") <= 0, (
                    "a wall does not scroll"
                )
        whole(page, shown)
        await page.run(f"(() => {{ {AXE}; window.axe = axe; return 1 }})()")
        told = await page.run(
            "axe.run({resultTypes: ['violations']}).then(r => r.violations.filter(v => ['serious', 'critical'].includes(v.impact)).map(v => [v.id, v.nodes.slice(0, 3).map(n => n.html.slice(0, 160) + (n.any[0]?.message ?? ''))]))"
        )
        assert told == []

    drive(tmp_path, steps)


def test_at_4k_the_wall_is_filled(shown: Pages, tmp_path: Path) -> None:
    async def steps(page: Page) -> None:
        await at(page, shown, "andon", width=3840, height=2160)
        letters = await page.run(
            "['.what', '.figures p'].map(s => parseFloat(getComputedStyle(document.querySelector(s)).fontSize))"
        )
        assert letters[0] > 240, letters
        assert letters[1] > 200, letters
        assert await page.run("document.querySelector('.wall').getBoundingClientRect().height") >= 2159
        colored = await page.run(
            "(r => r.width * r.height / (innerWidth * innerHeight))(document.querySelector('.sign').getBoundingClientRect())"
        )
        assert 0.05 < colored < 1 / 3

    drive(tmp_path, steps)


def test_a_page_without_a_word_from_its_process_says_so_and_recovers(tmp_path: Path) -> None:
    async def steps(page: Page) -> None:
        shown = Pages()
        shown.records.put(snapshot(FILLER, T0, "execute", T0))
        with shown.serving():
            await at(page, shown, "line")
            assert await page.until("document.querySelector('.machine').dataset.look") == "running"
        await page.until("document.querySelector('.machine').dataset.look === 'unknown'")
        assert "No word from the page's process" in await page.run("document.querySelector('.banner').innerText")
        assert "running" not in await page.run("document.querySelector('.machine').innerText")
        with shown.serving():
            shown.records.put(snapshot(FILLER, shown.now(), "execute", T0))
            await page.until(
                "document.querySelector('.machine').dataset.look === 'running' && document.querySelector('.banner').hidden"
            )

    drive(tmp_path, steps)


@pytest.mark.parametrize("screen", PLACES)
def test_processors_that_stand_still_are_seen_on_every_screen(screen: str, shown: Pages, tmp_path: Path) -> None:
    async def steps(page: Page) -> None:
        await at(page, shown, screen)
        shown.troubles.append(
            {"place": "acme/dallas/packaging", "word": "trouble.processors", "age": 4, "where": "acme/dallas/packaging"}
        )
        await page.until("document.body.classList.contains('stale')")
        assert "have not gone on for 4 s" in await page.run("document.querySelector('.banner').innerText")
        await page.until("![...document.querySelectorAll('[data-look]')].some(e => e.dataset.look !== 'unknown')")
        shown.troubles.clear()
        await page.until("!document.body.classList.contains('stale')")
        shown.troubles.append(
            {"place": "acme/leipzig", "word": "trouble.processors", "age": 4, "where": "acme/leipzig"}
        )
        if screen != "overview":  # which shows that place, too
            await page.until("uns.link.beat.troubles.length")
            assert await page.run("document.body.classList.contains('stale')") is False

    drive(tmp_path, steps)


def test_an_unknown_place_is_unknown_and_the_nearest_are_named(shown: Pages, tmp_path: Path) -> None:
    async def steps(page: Page) -> None:
        for screen, place in (
            ("line", LINE + "1"),
            ("andon", LINE + "1"),
            ("machine", FILLER + "s"),
            ("losses", "acme/dalas"),
            ("overview", "acme/dalas"),
        ):
            await page.open(f"{shown.url}/{screen}/{place}", 1280, 800)
            await page.until("!!document.querySelector('.unknown')")
            text = await page.run("document.querySelector('main').innerText")
            assert f"There is no {place} here." in text
            assert not await page.run("document.querySelectorAll('article.machine, .tile, .wall').length"), (
                "another place's numbers"
            )
            near = await page.run("document.querySelector('.unknown a').innerText")
            assert near.startswith("acme/dallas")
        await page.press(".unknown a")
        await page.until("!!document.querySelector('.tile')")

    drive(tmp_path, steps)


def test_a_card_says_state_age_and_what_its_numbers_rest_on(shown: Pages, tmp_path: Path) -> None:
    async def steps(page: Page) -> None:
        await at(page, shown, "line")
        filler, packer = [
            await page.run(f"document.querySelector('.machine[data-path=\"{path}\"]').innerText")
            for path in (FILLER, PACKER)
        ]
        assert "▶ running" in filler
        assert "execute · 6 min" in filler
        assert "<b>cola</b>" in filler, "text from a source is no markup"
        assert "rests on 62% of the time; the rest was not seen" in filler
        assert "no state known: pieces are counted, OEE cannot be told" in packer
        assert "–" in packer
        spans = "[5, 65, 3720, 90000].map(s => uns.format.span(s * 1e6)).concat(uns.format.percent(null), uns.format.percent(0))"
        assert await page.run(spans) == ["5 s", "1 min", "1 h 02", "1 d 1 h", "–", "0.0%"]
        words = "[3.6e9, -1.2e8].map(us => { const m = structuredClone(uns.link.views.main.machines[0]); m.clock_off_us = us; uns.link.views.main = {...uns.link.views.main, machines: [m]}; uns.tell(''); return document.querySelector('.machine').innerText })"
        ahead, behind = await page.run(words)
        assert "its clock is 1 h 00 ahead: set it" in ahead
        assert "its clock is 2 min behind: set it" in behind

    drive(tmp_path, steps)


def test_times_are_those_of_the_site_and_have_their_date(shown: Pages, tmp_path: Path) -> None:
    async def steps(page: Page) -> None:
        await at(page, shown, "line")
        assert await page.run(f"uns.format.time({T0}, '{LINE}', {T0}, false)") == "13:00"
        assert await page.run(f"uns.format.time({T0 - 86_400_000_000}, '{LINE}', {T0}, false)") == "Nov 22 13:00"
        assert "GMT+1" in await page.run("document.querySelector('.plant-time').innerText")
        await page.run("uns.speak('de')")
        await page.until(
            "document.documentElement.lang === 'de' && document.querySelector('.machine .state').innerText.includes('läuft')"
        )
        assert await page.run("uns.format.number(1234.5, 1)") == "1.234,5"

    drive(tmp_path, steps)


def test_a_stop_tells_its_story(shown: Pages, tmp_path: Path) -> None:
    async def steps(page: Page) -> None:
        await at(page, shown, "line")
        await page.run(
            "document.querySelector('#timeline g.stop > g').dispatchEvent(new MouseEvent('click', {bubbles: true}))"
        )
        await page.until("!!document.querySelector('.story')")
        told = await page.run("document.querySelector('.story').innerText")
        assert "gripper fault (201)" in told
        assert "uns audit" in told
        shown_span = "document.querySelector('#timeline .tools .note').innerText"
        for button in (3, 1):  # closer, earlier
            before = await page.run(shown_span)
            await page.press(f"#timeline .tools button:nth-child({button})")
            await page.until(f"{shown_span} !== {before!r}")

    drive(tmp_path, steps)


def test_places_are_found_on_a_phone_and_the_list_gives_way(shown: Pages, tmp_path: Path) -> None:
    async def steps(page: Page) -> None:
        await at(page, shown, "line", width=390, height=844)
        assert not await page.run("document.querySelector('#menu')"), "nothing lies over the page to begin with"
        await page.press("header .icon")
        await page.until("document.querySelectorAll('#menu .places li').length >= 6")
        assert "‖" in await page.run("document.querySelector('#menu').innerText")
        await page.press("#menu .icon")
        await page.until("!document.querySelector('#menu')")
        await page.press("header .icon")
        await page.until("!!document.querySelector('#menu input')")
        await page.type("#menu input", "filler speed")
        await page.until("!!document.querySelector('#menu .places a b')")
        await page.press("#menu .places a")
        await page.until("!!document.querySelector('.tags .marked')?.innerText.includes('Speed')")
        assert await page.run("location.pathname") == f"/machine/{FILLER}"

    drive(tmp_path, steps)


def test_an_alert_is_seen_by_somebody_and_does_not_vanish_unseen(shown: Pages, tmp_path: Path) -> None:
    async def steps(page: Page) -> None:
        await at(page, shown, "line")
        await page.run("localStorage.setItem('uns.name', 'Ada')")
        await page.press(".alerts li button")
        await page.until("document.querySelector('.notice').innerText === 'Done.'")
        ((path, fact),) = shown.told
        assert (path, isinstance(fact, Acknowledge) and fact.by) == (PACKER, "Ada (not signed in)")
        shown.records.put(alert(PACKER, T0 - 4 * 60_000_000, "cleared", 1))
        await page.until("!!document.querySelector('.alerts .ended')?.innerText.includes('over')")

    drive(tmp_path, steps)


def test_the_address_is_what_is_shown(shown: Pages, tmp_path: Path) -> None:
    async def steps(page: Page) -> None:
        await at(page, shown, "overview", "")
        await page.press(".tile h2 a")
        await page.until(
            "location.pathname === '/overview/acme/dallas' && document.querySelector('.crumbs').innerText.includes('dallas')"
        )
        await page.open(f"{shown.url}/losses/{LINE}?window=hour", 1280, 800)
        await page.until("document.querySelector('.choice [aria-pressed=true]')?.innerText === 'hour'")
        await page.press(".crumbs a:nth-child(2)")
        await page.until("location.pathname === '/losses/acme/dallas'")
        await page.run("history.back()")
        await page.until(f"location.pathname === '/losses/{LINE}'")
        await at(page, shown, "losses")
        await page.press("#measured summary")
        assert "APT" in await page.run("document.querySelector('#measured details[open]').innerText")
        whole(page, shown)

    drive(tmp_path, steps)


def test_requests_from_elsewhere_are_refused(shown: Pages) -> None:
    with httpx2.Client(base_url=shown.url) as client:
        assert client.get("/", headers={"host": "evil.example"}).status_code == 403
        document = client.get("/")
        assert "default-src 'none'" in document.headers["content-security-policy"]
        deed = {"id": "deed-of-eve", "alert": alert(PACKER, T0).natural_id, "path": PACKER}
        said = json.dumps({**deed, "by": "Eve"})
        assert client.post("/act/acknowledge", content=said).status_code == 403, "no token"
        token = document.cookies["uns_token"]
        wrong = client.post(
            "/act/acknowledge", content=said, headers={"x-uns-token": token, "origin": "http://evil.example"}
        )
        assert wrong.status_code == 403
        nobody = client.post("/act/acknowledge", json=deed, headers={"x-uns-token": token})
        assert (nobody.status_code, nobody.json()["problem"]) == (422, "say who you are")
        assert client.post("/act/acknowledge", content=said, headers={"x-uns-token": token}).status_code == 200
        assert client.post("/act/nothing", content=said, headers={"x-uns-token": token}).status_code == 422
    assert len(shown.told) == 1
