"""What every registered sink must do, ours and third parties' alike (docs/spec.md)."""

import asyncio
import re
import threading
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from sinks.base import Retryable, Sink
from tests.contract.targets import AWAY, SECRET, TARGETS, delivery, downtime
from uns.model.components import SINKS, UnknownComponent, names, sink_spec
from uns.runtime.ports import free_port

KINDS = names(SINKS)
DEADLINE_S = 15.0


def sample_config(kind: str) -> dict[str, Any]:
    found = yaml.safe_load((files("sinks") / kind / "sample.yaml").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def build(kind: str, config: dict[str, Any], folder: Path) -> Sink:
    spec = sink_spec(kind)
    return spec.build("contract", spec.config.model_validate(config), folder)


async def open_and_write(sink: Sink) -> None:
    await sink.open()
    await sink.write([delivery(downtime(1), 0)], {})


@pytest.mark.parametrize("kind", KINDS)
class TestRegistration:
    def test_has_a_target_in_this_suite(self, kind: str) -> None:
        assert set(KINDS) <= TARGETS.keys() & AWAY.keys(), "add a real target for it to tests/contract/targets.py"

    def test_every_option_says_what_it_is(self, kind: str) -> None:
        schema = sink_spec(kind).config.model_json_schema()
        for where, inner in {kind: schema, **schema.get("$defs", {})}.items():
            for name, field in inner.get("properties", {}).items():
                assert field.get("description"), f"{where}.{name} has no description"
        assert sink_spec(kind).summary

    def test_its_sample_is_valid_and_an_unknown_option_is_not(self, kind: str) -> None:
        config = sink_spec(kind).config
        config.model_validate(sample_config(kind))
        with pytest.raises(ValidationError, match="no_such_option"):
            config.model_validate({**sample_config(kind), "no_such_option": 1})

    def test_a_configuration_error_does_not_repeat_secrets(self, kind: str) -> None:
        with pytest.raises(ValidationError) as caught:
            sink_spec(kind).config.model_validate({**AWAY[kind](1), "no_such_option": SECRET})
        assert SECRET not in str(caught.value)

    def test_building_it_connects_to_nothing(self, kind: str, tmp_path: Path) -> None:
        before = threading.active_count()
        build(kind, sample_config(kind), tmp_path / "state")
        assert threading.active_count() == before
        assert not (tmp_path / "state").exists()

    def test_its_readme_says_what_is_guaranteed(self, kind: str) -> None:
        assert "Effectively once" in (files("sinks") / kind / "README.md").read_text(encoding="utf-8")


def test_an_unknown_kind_is_told_the_nearest() -> None:
    with pytest.raises(UnknownComponent, match="did you mean 'historian'"):
        sink_spec("historain")


@pytest.mark.parametrize("kind", KINDS)
def test_a_target_that_is_away_is_named_and_no_secret_shown(kind: str, tmp_path: Path) -> None:
    port = free_port()

    async def go() -> None:
        sink = build(kind, AWAY[kind](port), tmp_path)
        with pytest.raises(Retryable, match=str(port)) as caught:
            await asyncio.wait_for(open_and_write(sink), DEADLINE_S)
        assert SECRET not in str(caught.value)
        with pytest.raises(Retryable):  # what the runner does when a reopen has failed, too
            await sink.write([delivery(downtime(1), 0)], {})
        await sink.close()
        await sink.close()
        with pytest.raises(Retryable):
            await sink.write([delivery(downtime(1), 0)], {})

    asyncio.run(go())


@pytest.mark.parametrize("kind", KINDS)
class TestWriting:
    def test_twice_is_once(self, kind: str, postgres: str, enterprise: str, tmp_path: Path) -> None:
        deliveries = [delivery(downtime(n), n) for n in range(5)]
        deliveries.append(delivery(downtime(3, revision=1, reason="drive"), 5))
        positions = {(deliveries[0].topic, 0): 6}

        async def go() -> None:
            with TARGETS[kind](postgres, enterprise) as target:
                first = build(kind, target.config, tmp_path)
                await first.open()
                assert await first.write(deliveries, positions) == []
                once = target.content()
                assert "drive" in str(once)
                assert await first.write(deliveries, positions) == []
                assert target.content() == once
                await first.close()
                # As after a crash between the target's commit and Kafka's: all again, in another process.
                second = build(kind, target.config, tmp_path)
                await second.open()
                assert await second.positions() in (None, positions)
                for one in deliveries:
                    assert await second.write([one], {(one.topic, 0): one.offset + 1}) == []
                assert target.content() == once
                await second.close()

        asyncio.run(go())

    def test_a_refused_record_comes_back_with_the_targets_words_and_the_rest_is_written(
        self, kind: str, postgres: str, enterprise: str, tmp_path: Path
    ) -> None:
        async def go() -> None:
            with TARGETS[kind](postgres, enterprise) as target:
                bad = delivery(downtime(2, reason=target.refused), 2)
                deliveries = [delivery(downtime(n, reason=f"reason {n}"), n) for n in (0, 1)]
                deliveries += [bad, delivery(downtime(3, reason="reason 3"), 3)]
                end = {(bad.topic, 0): 4}
                sink = build(kind, target.config, tmp_path)
                await sink.open()
                [rejected] = await sink.write(deliveries, end)
                assert rejected.delivery is bad
                assert target.words in rejected.message
                assert re.fullmatch("[a-z0-9_A-Z]{1,40}", rejected.reason)
                assert [f"reason {n}" in str(target.content()) for n in (0, 1, 3)] == [True] * 3
                # It is in no safe place yet, so no position may pass it; afterwards it may.
                assert await sink.positions() in (None, {(bad.topic, 0): 2})
                assert await sink.write([], end) == []
                assert await sink.positions() in (None, end)
                await sink.close()

        asyncio.run(go())

    def test_open_after_open_and_close_after_close(
        self, kind: str, postgres: str, enterprise: str, tmp_path: Path
    ) -> None:
        async def go() -> None:
            with TARGETS[kind](postgres, enterprise) as target:
                sink = build(kind, target.config, tmp_path)
                await sink.close()
                await sink.open()
                await sink.open()
                assert await sink.write([delivery(downtime(1), 0)], {}) == []
                await sink.close()
                await sink.close()
                await sink.open()
                await sink.close()

        asyncio.run(go())
