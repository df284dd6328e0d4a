"""Whose fault it is that a target breaks: a record's only where the target takes others, often and long enough."""

from sinks.kit.suspects import Suspects


def test_blame_needs_others_that_are_taken_tries_and_time() -> None:
    suspects = Suspects(tries_max=3, tries_s=60)
    for now in range(0, 1000, 100):  # an outage: it fails, and so do all
        suspects.failed("a", "http_500", "500 crashed", float(now))
    assert suspects.tried("a") == 10
    assert suspects.lone("a")
    assert suspects.blame("a", 1000) is None
    assert suspects.blame("a", 1030) is None
    assert suspects.blame("a", 1040) is None, "often enough, and not long enough"
    assert suspects.blame("a", 1060) == "4 tries in 60 s, while the target took others: 500 crashed"
    assert suspects.tried("a") == 0


def test_what_is_taken_in_the_end_was_not_guilty() -> None:
    suspects = Suspects(tries_max=2, tries_s=0)
    suspects.failed("a", "no_answer", "torn", 0)
    assert suspects.blame("a", 0) is None
    suspects.done("a")
    suspects.failed("a", "no_answer", "torn", 1)
    assert suspects.blame("a", 1) is None
