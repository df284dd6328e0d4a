"""A sink that is paused, resumed and begun anew by a wish in its folder, on a real Kafka: nothing is lost or written twice."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.harness import eventually
from tests.integration.uns.runners.sink.site import DEADLINE_S, Site
from uns.runners.sink.health import FOLDER, SinkHealth, read_health
from uns.runtime import wish
from uns.testing import downtime

COLUMNS = {"id": "{natural_id}", "rev": "{revision}"}


@pytest.mark.long
def test_pause_resume_restart(tmp_path: Path, kafka: str, registry: str, enterprise: str) -> None:
    file = tmp_path / "mes.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE stops (id TEXT PRIMARY KEY, rev INT)")

    def stored() -> int:
        with closing(sqlite3.connect(file, timeout=30)) as database:
            return int(database.execute("SELECT count(*) FROM stops").fetchone()[0])

    config = {"url": f"sqlite:///{file}", "tables": [{"record": "downtime", "table": "stops", "columns": COLUMNS}]}
    site = Site(tmp_path, kafka, registry, enterprise, "sql", config)
    own = site.settings.state_dir / FOLDER / "sql"

    def tell(numbers: range) -> None:
        for number in numbers:
            site.tell(site.cells[0], downtime(number, 0, path=str(site.cells[0])))
        site.producer.flush()

    def said(check: Callable[[SinkHealth], bool], what: str) -> SinkHealth:
        def look() -> SinkHealth | None:
            health = read_health(site.settings.state_dir).get("sql")
            return health if health is not None and check(health) else None

        found = eventually(look, DEADLINE_S, what)
        assert found is not None
        return found

    try:
        tell(range(5))
        site.start()
        eventually(lambda: stored() == 5, DEADLINE_S, "5 stops")
        wish.write(own, paused=True)
        paused = said(lambda health: wish.PAUSED in health.problems, "paused")
        tell(range(5, 9))
        said(lambda health: health.at > paused.at + 3_000_000, "three seconds of pause")
        assert stored() == 5
        wish.write(own, restart=True)
        said(lambda health: health.written == 0 and wish.PAUSED in health.problems, "begun anew, and still paused")
        assert stored() == 5
        wish.write(own, paused=False)
        eventually(lambda: stored() == 9, DEADLINE_S, "all 9")
        assert site.running()
    finally:
        site.stop()
