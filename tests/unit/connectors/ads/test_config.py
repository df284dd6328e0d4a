"""Options: what is right, and what is refused with words that say what to do."""

from typing import Any

import pytest
from pydantic import ValidationError

from connectors.ads.config import AdsConfig

PATH = "acme/dallas/packaging/line-1/filler"
URL = "ads://10.0.0.5/5.12.82.20.1.1"


def made(*plcs: dict[str, Any], **options: Any) -> AdsConfig:
    return AdsConfig.model_validate({"plcs": list(plcs), **options})


def plc(url: str = URL, path: str = PATH, tags: dict[str, Any] | None = None, **machine: Any) -> dict[str, Any]:
    return {"url": url, "machines": [{"path": path, "tags": tags or {"A": {"name": "MAIN.A"}}, **machine}]}


@pytest.mark.parametrize(
    ("url", "place"),
    [
        (URL, ("10.0.0.5:48898", "5.12.82.20.1.1", 851)),
        (f"{URL}:801", ("10.0.0.5:48898", "5.12.82.20.1.1", 801)),
        ("ads://plc-7:5000/1.2.3.4.1.1:852", ("plc-7:5000", "1.2.3.4.1.1", 852)),
    ],
)
def test_an_url_says_host_net_id_and_port(url: str, place: tuple[str, str, int]) -> None:
    (one,) = made(plc(url)).plcs
    assert (one.host, one.net_id, one.port) == place


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ads://10.0.0.5", "AMS net id of the controller is missing"),
        ("ads://10.0.0.5/5.12.82.20.1", "no AMS net id"),
        ("ads://10.0.0.5/5.12.82.20.1.256", "no AMS net id"),
        (f"{URL}:0", "no AMS port"),
        (f"{URL}:70000", "no AMS port"),
        ("tcp://10.0.0.5/5.12.82.20.1.1", "is no address"),
    ],
)
def test_an_url_that_is_none_is_refused(url: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        made(plc(url))


@pytest.mark.parametrize(
    ("plcs", "words"),
    [
        ([plc(), plc("ads://10.0.0.5/5.12.82.20.1.1:852", "a/b/c")], "two controllers have the host"),
        ([plc(), plc("ads://10.0.0.6/5.12.82.20.1.1", "a/b/c")], "two controllers have the AMS net id"),
        ([plc(tags={"A": {"name": "MAIN.w.3"}})], "a bit goes into `bit`"),
        ([plc(tags={"Good parts": {}})], "say its `name`"),
        ([plc(tags={"A": {"name": "MAIN.w", "bit": 1, "count": 2}})], "`bit` stands alone"),
    ],
)
def test_what_cannot_be_read_is_refused(plcs: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        made(*plcs)


def test_a_machine_has_its_own_program_and_period() -> None:
    tags = {"A": {"name": "MAIN.A"}, "B": {"name": "MAIN.B", "period_s": 60}}
    config = made(plc(tags=tags, port=852, period_s=2))
    assert [(period_s, one.port) for period_s, one in config.wanted(config.plcs[0])] == [(2, 852), (60, 852)]
    assert config.longest_period_s() == 60


def test_our_own_net_id_is_one() -> None:
    assert made(plc(), net_id="192.168.1.20.1.1").net_id == "192.168.1.20.1.1"
    with pytest.raises(ValidationError, match="no AMS net id"):
        made(plc(), net_id="192.168.1.20")
