"""`uns init` and `uns connector add`: what they write is a plant model that lints, whatever the protocol."""

from pathlib import Path

import pytest

from tests.unit.uns.cli import test_plant
from tests.unit.uns.cli.test_plant import Uns
from topology.model.loader import load
from uns.errors import UserError
from uns.model.components import CONNECTORS, UnknownComponent, connector_spec, names
from uns.model.lint import check
from uns.model.starter import MACHINE, add, write

SECRETS = {"HTTP_TOKEN": "a-token-of-the-tests", "SQL_PASSWORD": "secret"}
uns = test_plant.uns
"""The fixture."""


@pytest.mark.parametrize("protocol", names(CONNECTORS))
def test_a_plant_of_any_protocol_lints(protocol: str, tmp_path: Path) -> None:
    write(tmp_path, protocol, None)
    problems, plant = check(tmp_path, SECRETS)
    assert problems == []
    assert plant is not None
    entry = plant.connectors["machine-1"]
    connector_spec(protocol).config.model_validate(entry.config)
    assert MACHINE in (tmp_path / "connectors.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("protocol", names(CONNECTORS))
def test_another_connector_is_a_file_of_its_own(protocol: str, tmp_path: Path) -> None:
    write(tmp_path, "opcua", None)
    file = add(tmp_path, protocol, "more", MACHINE, None)
    assert file.name == "connector-more.yaml"
    assert load(tmp_path, SECRETS).connectors["more"].protocol == protocol
    assert check(tmp_path, SECRETS)[0] == []
    with pytest.raises(UserError, match="is there already"):
        add(tmp_path, protocol, "more", MACHINE, None)


def test_the_address_that_was_given_is_read(tmp_path: Path) -> None:
    write(tmp_path, "modbus", "tcp://10.1.2.3:1502")
    assert load(tmp_path, {}).connectors["machine-1"].config["links"][0]["url"] == "tcp://10.1.2.3:1502"


def test_a_protocol_that_is_not_there_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownComponent, match="did you mean 'modbus'"):
        write(tmp_path, "modbuss", None)


def test_the_commands(uns: Uns, tmp_path: Path) -> None:
    plant = tmp_path / "mine"
    assert uns("init", plant, "--protocol", "sparkplug", "--url", "mqtt://10.0.0.8:1883")[0] == 0
    code, out, err = uns("connector", "add", "modbus", "press", "--plant", plant, "--url", "tcp://10.0.0.7:502")
    assert code == 0, err
    assert f"it reads {MACHINE}" in out
    assert uns("lint", plant)[0] == 0
    code, _, err = uns("connector", "add", "modbus", "press", "--plant", plant)
    assert code == 1
    assert "in the plant model already" in err
    code, _, err = uns("connector", "add", "modbus", "other", "--plant", plant, "--machine", MACHINE + "x")
    assert code == 1
    assert "did you mean" in err
    assert uns("init", tmp_path / "two", "--opcua", "opc.tcp://a:1", "--mqtt", "mqtt://a:1")[0] == 1
