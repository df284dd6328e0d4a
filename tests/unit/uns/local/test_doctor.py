"""What the doctor finds on this machine when things are wrong; and how two clocks compare."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from uns.local.doctor import Verdict, _skew, examine
from uns.runners.connector.health import Health, SourceHealth
from uns.runners.connector.spool import Spool
from uns.runtime.ports import free_port
from uns.runtime.settings import Settings


def test_everything_wrong_at_once(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "file").write_text("")
    settings = Settings(
        state_dir=tmp_path / "file" / "state",
        plant=tmp_path / "plant",
        registry=f"http://127.0.0.1:{port}",
        postgres=f"postgresql://me:hunter2@127.0.0.1:{port}/uns",
        mqtt=f"mqtt://127.0.0.1:{port}",
    )
    found = {finding.check: finding for finding in examine(settings, {})}
    for check in ("disk", "registry", "postgres", "mqtt"):
        assert found[check].verdict is Verdict.FAIL, found[check]
    assert found["plant"].verdict is Verdict.WARN
    assert all(finding.fix for finding in found.values() if finding.verdict is not Verdict.OK)
    assert "hunter2" not in str(found)


def test_the_command_exits_1_on_a_failure(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "uns", "doctor", "--json"]
    environ = {"PATH": "/usr/bin:/bin", "UNS_STATE_DIR": str(tmp_path), "UNS_PLANT": str(tmp_path / "none")}
    well = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert (well.returncode, json.loads(well.stdout)["ok"]) == (0, True), well.stdout + well.stderr
    ill = subprocess.run(
        command, env=environ | {"UNS_MQTT": f"mqtt://127.0.0.1:{free_port()}"}, capture_output=True, text=True
    )
    assert (ill.returncode, json.loads(ill.stdout)["ok"]) == (1, False)


def test_connectors_that_keep_their_spool_here_say_how_they_are(tmp_path: Path) -> None:
    behind = "acme/dallas/packaging/line-1/filler: its clock is 3600 s behind ours"
    now = time.time_ns() // 1000
    for name, at, problems in (
        ("plc", now, ()),
        ("slow", now, (behind, "the source is connected and silent")),
        ("dead", now - 3_600_000_000, ()),
    ):
        spool = Spool(tmp_path / "connectors" / name, 1_000_000)
        spool.says(Health(at, problems, SourceHealth(True, 1.0, 0, {}, {})))
        if name != "plc":
            spool.close()  # one of a running connector is not disturbed
    Spool(tmp_path / "connectors" / "new", 1_000_000).close()
    found = [f for f in examine(Settings(state_dir=tmp_path, plant=tmp_path), {}) if f.check.startswith("connector")]
    told = [
        (finding.check, finding.verdict.value, re.sub(r"seen 36\d\d s", "seen an hour", finding.detail))
        for finding in found
    ]
    assert told == [
        ("connector dead", "warn", "does not run; last seen an hour ago"),
        ("connector new", "warn", "does not run; last seen never"),
        ("connector plc", "ok", "runs and listens"),
        ("connector slow", "warn", behind),
        ("connector slow", "warn", "the source is connected and silent"),
    ]


@given(ours=st.floats(1e9, 2e9), took=st.floats(0, 10), off=st.floats(-1000, 1000))
def test_skew_is_never_overstated(ours: float, took: float, off: float) -> None:
    """A reading taken at any moment of the exchange does not blame a clock for the exchange's own duration."""
    moment = ours + took / 2
    finding = _skew("clock", moment + off, ours, ours + took)
    assert (finding.verdict is Verdict.OK) >= (abs(off) <= 0.5), "a clock that is right is called right"
    assert (finding.verdict is Verdict.FAIL) >= (abs(off) > 300 + took + 1), "one that is far off is called wrong"
    if finding.verdict is Verdict.FAIL:
        assert abs(off) > 300
    if finding.verdict is Verdict.OK:
        assert abs(off) <= 1 + took
