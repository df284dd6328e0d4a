"""Mails at a real SMTP server that refuses, tears sessions, and asks who we are."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from schemas.records import Alert, Derived, Downtime
from sinks.base import Rejected, Retryable, Unwritten
from sinks.email.config import EmailConfig
from sinks.email.sink import Email
from tests.harness.mailbox import PASSWORD, Mailbox, authenticator, tls
from tests.harness.rounds import few_and_many
from tests.harness.secure import certificates
from tests.harness.sink_process import killed
from tests.integration.sinks.mqtt.mirroring import PATHS, T, delivered, of
from uns.testing.patience import patient

PATH = PATHS[0]
HOUR_S = 3_600.0


class Writer:
    """Each call is a process of its own, at its time."""

    def __init__(self, config: dict[str, Any], folder: Path) -> None:
        self._config, self._folder, self.now = EmailConfig.model_validate(config), folder, 1_795_000_000.0

    def write(self, *records: Derived) -> list[Unwritten]:
        async def go() -> list[Unwritten]:
            sink = Email("mail", self._config, self._folder, lambda: self.now)
            await sink.open()
            try:
                return list(await sink.write(delivered(records), {}))
            finally:
                await sink.close()

        return asyncio.run(go())

    def retried(self, *records: Derived, most: int = 5) -> tuple[list[Unwritten], list[str]]:
        """As the runner does; and the words of what was in the way."""
        words: list[str] = []
        while len(words) < most:
            try:
                return self.write(*records), words
            except Retryable as error:
                words.append(str(error))
        raise AssertionError(words)


def digests(box: Mailbox, **report: Any) -> dict[str, Any]:
    one = {"name": "stops", "class": "downtime", "line": "{reason} {revision}", **report}
    return {**box.config, "reports": [one]}


def stops(*numbers: int, **more: Any) -> list[Any]:
    return [of(Downtime, PATH, n, reason=f"r{n}", **more) for n in numbers]


def test_a_digest_goes_once_with_what_came_until_then_each_at_its_newest(tmp_path: Path) -> None:
    with Mailbox().serving() as box:
        mail = Writer(digests(box), tmp_path)
        assert mail.write(*stops(2, 1)) == []
        assert mail.write(*stops(1, revision=1), *stops(2), *stops(3)) == []
        assert mail.write(of(Downtime, PATH, 3, 1, reason="r3", ended_at=T + 3 * 60_000_000)) == []
        mail.now += HOUR_S - 1
        assert mail.write() == []
        assert box.mails == []
        mail.now += 1
        assert mail.write() == []
        assert box.texts() == ["r1 1\nr2 0\n"], "what was withdrawn before anybody was told is not told"
        assert box.mails[0][0] == ["anna@example.com", "bo@example.com"]
        mail.now += 9 * HOUR_S
        assert mail.write(*stops(1, 2, revision=1)) == [], "again, and a correction"
        gone = of(Downtime, PATH, 1, 2, reason="r1", ended_at=T + 60_000_000)
        assert mail.write(gone) == []
        mail.now += HOUR_S
        assert mail.write() == []
        assert box.texts()[1:] == ["withdrawn: r1 2\nr2 1\n"]
        mail.now += 9 * HOUR_S
        assert mail.write() == []
        assert len(box.mails) == 2


def test_what_leaves_the_report_is_said_to_have_left(tmp_path: Path) -> None:
    with Mailbox().serving() as box:
        mail = Writer(digests(box, when={"category": "breakdown"}, every_min=1), tmp_path)
        for revision, category in enumerate(("micro", "breakdown", "micro")):
            assert mail.write(of(Downtime, PATH, 1, revision, reason="r1", category=category)) == []
            mail.now += 60
            assert mail.write() == []
        assert box.texts() == ["r1 1\n", "no longer: r1 2\n"]


def test_some_go_at_once_and_the_others_in_the_digest(tmp_path: Path) -> None:
    with Mailbox().serving() as box:
        report = {
            "name": "alerts",
            "class": "alert",
            "immediately": {"severity": "high"},
            "line": "{severity} {message}",
        }
        mail = Writer({**box.config, "reports": [report]}, tmp_path)
        alerts = [of(Alert, PATH, n, severity=word, message=f"m{n}") for n, word in enumerate(("high", "low", "high"))]
        assert mail.write(*alerts) == []
        assert box.texts() == ["high m0\n", "high m2\n"]
        assert mail.write(*alerts) == []
        mail.now += HOUR_S
        assert mail.write() == []
        assert box.texts()[2:] == ["low m1\n"]


def test_a_digest_goes_though_nothing_new_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sinks.email.sink.LOOK_S", 0.05)
    with Mailbox().serving() as box:

        async def go() -> None:
            now = 0.0
            sink = Email("mail", EmailConfig.model_validate(digests(box)), tmp_path, lambda: now)
            await sink.open()
            await sink.write(delivered(stops(1)), {})
            now = HOUR_S
            async with asyncio.timeout(patient(20)):
                while not box.mails:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            await sink.close()

        asyncio.run(go())


def test_one_mailbox_that_is_refused_costs_the_others_nothing(tmp_path: Path) -> None:
    with Mailbox().serving() as box:
        box.rcpt = lambda mailbox: "550 no such user" if mailbox.startswith("bo@") else None
        mail = Writer(box.config, tmp_path)
        assert mail.write(*stops(1, 2)) == []
        assert [to for to, _ in box.mails] == [["anna@example.com"]] * 2
        box.rcpt = lambda _mailbox: "550 no such user"
        rejected = mail.write(*stops(3))
        assert [type(each) for each in rejected] == [Rejected]
        assert (rejected[0].reason, "anna@example.com>: 550 no such user" in rejected[0].message) == ("smtp_550", True)  # type: ignore[union-attr]


def test_a_digest_that_reaches_nobody_is_kept_and_said(tmp_path: Path) -> None:
    with Mailbox().serving() as box:
        mail = Writer(digests(box), tmp_path)
        assert mail.write(*stops(1)) == []
        mail.now += HOUR_S
        box.rcpt = lambda _mailbox: "550 no such user"
        with pytest.raises(Retryable, match=r"a digest reaches nobody: .*550 no such user; see `to`"):
            mail.write()
        box.rcpt = lambda _mailbox: None
        assert mail.write() == []
        assert box.texts() == ["r1 0\n"]


def test_a_mailbox_that_is_busy_gets_it_later_and_nobody_gets_it_twice(tmp_path: Path) -> None:
    with Mailbox().serving() as box:
        answers = iter(["451 greylisted", "451 greylisted", None])
        box.rcpt = lambda mailbox: next(answers) if mailbox.startswith("bo@") else None
        unwritten, words = Writer(box.config, tmp_path).retried(*stops(1))
        assert unwritten == []
        assert [("bo@example.com: 451 greylisted" in one) for one in words] == [True, True]
        assert [to for to, _ in box.mails] == [["anna@example.com"], ["bo@example.com"]]
        assert len(box.content()) == 1


@pytest.mark.parametrize("taken", [True, False], ids=["taken", "not-taken"])
@pytest.mark.parametrize("answer", ["", "421 closing", "451 try later"], ids=["torn", "421", "451"])
def test_what_goes_again_after_a_lost_answer_is_the_same_mail(tmp_path: Path, answer: str, taken: bool) -> None:
    with Mailbox().serving() as box:
        box.data = lambda number: (answer, taken) if number in (2, 3) else None
        unwritten, words = Writer(box.config, tmp_path).retried(*stops(1, 2, 3))
        assert unwritten == []
        assert len(words) == 2
        assert sorted(text for _, text in box.content().values()) == ["cell-0: r1\n", "cell-0: r2\n", "cell-0: r3\n"]
        again = [mail.as_bytes() for _, mail in box.mails if mail["Message-ID"] == box.mails[1][1]["Message-ID"]]
        assert len(again) == (3 if taken else 1)
        assert len(set(again)) == 1


def test_a_text_that_is_refused_is_rejected_or_told_and_the_next_goes(tmp_path: Path) -> None:
    with Mailbox().serving() as box:
        mail = Writer(digests(box, every_min=1, line="{reason}"), tmp_path)
        assert mail.write(of(Downtime, PATH, 1, reason=box.refused)) == []
        mail.now += 60
        assert mail.write() == []
        assert mail.write(*stops(2)) == []
        mail.now += 60
        assert mail.write() == []
        assert box.texts() == ["r2\n"]


def test_tls_login_and_what_is_said_without(tmp_path: Path) -> None:
    known = certificates(tmp_path)
    login = {"username": "uns", "password": PASSWORD}
    options = {"auth_require_tls": True, "authenticator": authenticator, "auth_required": True}
    with Mailbox().serving(tls_context=tls(known.server), require_starttls=True, **options) as box:
        good = {**box.config, "starttls": "required", "ca_file": str(known.ca), **login}
        assert Writer(good, tmp_path / "a").write(*stops(1)) == []
        assert box.texts() == ["cell-0: r1\n"]
        for wrong, words in (
            ({**good, "password": "hunter3"}, "check username and password"),
            ({**good, "ca_file": None}, "certificate"),
            ({**box.config, "starttls": "never"}, "530"),
            ({**good, "password": None, "password_file": str(tmp_path / "none")}, "cannot be read"),
        ):
            with pytest.raises(Retryable, match=words) as caught:
                Writer(wrong, tmp_path / "b").write(*stops(2))
            assert "hunter" not in str(caught.value)
    with Mailbox().serving() as box, pytest.raises(Retryable, match="see starttls"):
        Writer({**box.config, "starttls": "required"}, tmp_path / "c").write(*stops(1))


def test_tls_from_the_first_byte(tmp_path: Path) -> None:
    known = certificates(tmp_path)
    with Mailbox().serving(ssl_context=tls(known.server)) as box:
        options = {**box.config, "server": f"smtps://127.0.0.1:{box.port}", "ca_file": str(known.ca)}
        assert Writer(options, tmp_path / "a").write(*stops(1)) == []
        assert len(box.mails) == 1


@few_and_many("kills", 4, 50)
def test_kills_between_the_servers_word_and_the_offsets(tmp_path: Path, kills: int) -> None:
    count = max(3, 3 * kills // 5)
    records: Sequence[Derived] = [of(Downtime, path, n, reason=f"r{n}") for n in range(count) for path in PATHS]
    with Mailbox().serving() as box:
        assert killed("email", box.config, tmp_path, delivered(records), kills, size=5) == kills
        wanted = sorted(f"{path.rpartition('/')[2]}: r{n}\n" for n in range(count) for path in PATHS)
        assert sorted(text for _, text in box.content().values()) == wanted
        assert len(box.mails) - len(wanted) <= kills * 5


@pytest.mark.parametrize("delay_s", [0.0, 0.002, 0.005, 0.01, 0.02, 0.04])
def test_who_stops_it_is_heard_whatever_the_server_says_just_then(tmp_path: Path, delay_s: float) -> None:
    with Mailbox().serving() as box:

        async def go() -> None:
            sink = Email("mail", EmailConfig.model_validate(box.config), tmp_path)
            await sink.open()
            writing = asyncio.create_task(sink.write(delivered(stops(*range(200))), {}))
            await asyncio.sleep(delay_s)
            writing.cancel()
            async with asyncio.timeout(patient(20)):
                with pytest.raises(asyncio.CancelledError):
                    await writing
                await sink.close()

        asyncio.run(go())
