"""People act in a real browser: sign in, give a reason, take it back, and go on without a link."""

from pathlib import Path

import pytest

from schemas.records import Acknowledge, Reason
from tests.harness.browser import CHROMIUM, Page
from tests.harness.plant_records import LINE, PACKER, records
from tests.harness.screens import Pages, pages
from tests.integration.uns.web.test_screens import at, drive
from uns.web.access import passwords
from uns.web.access.store import Store
from uns.web.access.users import User, Users, write

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no browser is here; install chromium")

SECRET = "correct horse battery"
STOP = "document.querySelector('#timeline g.stop > g')"


def test_a_reason_is_given_in_the_story_of_a_stop_and_taken_back(tmp_path: Path) -> None:
    async def steps(page: Page) -> None:
        with pages() as shown:
            await at(page, shown, "line")
            await page.run("localStorage.setItem('uns.name', 'Ada')")
            await page.until(f"!!{STOP}")
            await page.run(f"{STOP}.dispatchEvent(new MouseEvent('click', {{bubbles: true}}))")
            await page.until("!!document.querySelector('.story .tell select option')")
            await page.run("document.querySelector('.story .tell select').value = '101'")
            await page.type(".story .tell input[name=comment]", "bottle across")
            await page.press(".story .tell button[type=submit]")
            await page.until("!!document.querySelector('.notice button')")
            ((_, given),) = shown.told
            assert isinstance(given, Reason)
            assert (given.code, given.comment, given.by) == (101, "bottle across", "Ada (not signed in)")
            await page.press(".notice button")
            await page.until("document.querySelector('.notice').innerText.includes('taken back')")
            _, (_, back) = shown.told
            assert isinstance(back, Reason)
            assert back.id == given.id

    drive(tmp_path, steps)


def test_without_a_link_a_deed_waits_and_goes_out_with_its_time(tmp_path: Path) -> None:
    async def steps(page: Page) -> None:
        with pages() as shown:
            await at(page, shown, "line")
            await page.run("localStorage.setItem('uns.name', 'Ada')")
            await page.until("!!document.querySelector('.alerts li button')")
            await page.offline(True)
            await page.press(".alerts li button")
            await page.until("!!document.querySelector('.waiting')")
            said_at = await page.run("JSON.parse(localStorage.getItem('uns.deeds'))[0].said.said_at")
            assert shown.told == []
            await page.offline(False)
            await page.until("!document.querySelector('.waiting')")
            ((path, fact),) = shown.told
            assert isinstance(fact, Acknowledge)
            assert (path, fact.at) == (PACKER, said_at)

    drive(tmp_path, steps)


def test_one_signs_in_sees_the_screen_one_wanted_and_signs_out(tmp_path: Path) -> None:
    kept = passwords.hashed(SECRET)
    users = {"ann": User(password=kept, roles={"acme": "operator"}), "eve": User(password=kept, roles={"#": "viewer"})}
    write(tmp_path / "users.yaml", Users(users=users))

    async def sign_in(page: Page, name: str, password: str) -> None:
        await page.until("!!document.querySelector('#sign-in')")
        await page.type("#user", name)
        await page.type("#password", password)
        await page.press("#sign-in button")

    async def steps(page: Page) -> None:
        shown = Pages(store=Store(tmp_path / "users.yaml", tmp_path))
        shown.records.put(*records())
        with shown.serving():
            await page.open(f"{shown.url}/alarms/{LINE}", 390, 844)
            await sign_in(page, "ann", "wrong wrong wrong")
            await page.until("document.querySelector('#problem').innerText.includes('is wrong')")
            await sign_in(page, "ann", SECRET)
            await page.until("!!document.querySelector('.alarms-list .acknowledge')")
            assert await page.run("location.pathname") == f"/alarms/{LINE}"
            await page.press(".alarms-list .acknowledge")
            await page.until("document.querySelector('.notice').innerText === 'Done.'")
            ((_, fact),) = shown.told
            assert isinstance(fact, Acknowledge)
            assert fact.by == "ann"
            await page.run("uns.sign_out()")
            await sign_in(page, "eve", SECRET)
            await page.until("!!document.querySelector('.alarms-list li')")
            assert await page.run("document.querySelectorAll('.alarms-list button').length") == 0, "a viewer only looks"

    drive(tmp_path / "profile", steps)
