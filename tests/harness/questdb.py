"""A real QuestDB from Maven Central, on a free port; it can be killed and started again over the same folder."""

import json
from typing import Any

import httpx2

from tests.harness.waiting import eventually
from uns.local import jars, java
from uns.local.service import Service
from uns.runtime.child import Child
from uns.runtime.ports import HOST, claim

COORDINATES = "org.questdb:questdb:9.1.0"
_CONFIG = """
http.bind.to={host}:{port}
http.min.enabled=false
pg.enabled=false
line.tcp.enabled=false
line.udp.enabled=false
telemetry.enabled=false
metrics.enabled=false
shared.worker.count=2
"""


class QuestDb(Service):
    """`address` is its URL."""

    name = "QuestDB"
    start_timeout_s = 60.0

    def prepare(self) -> None:
        self._java = java.find()
        self._jars = jars.fetch(COORDINATES, "QuestDB 9.1.0 (26 MB)", self.progress)

    def launch(self) -> Child:
        port = claim(self.wanted_port, self.name)
        self.wanted_port = port  # a second start is on the same one
        (self.folder / "conf").mkdir(parents=True, exist_ok=True)
        (self.folder / "conf" / "server.conf").write_text(_CONFIG.format(host=HOST, port=port), encoding="utf-8")
        self.address = f"http://{HOST}:{port}"
        found = ":".join(map(str, self._jars.rglob("*.jar")))
        options = ["-Xmx512m", "-XX:+UseSerialGC", "--add-exports", "java.base/jdk.internal.math=ALL-UNNAMED"]
        command = [self._java.path, *options, "-p", found, "-m", "io.questdb/io.questdb.ServerMain", "-d", str(self.folder)]  # fmt: skip
        return Child(command, self.folder / "questdb.log")

    def ready(self) -> bool:
        try:
            return httpx2.get(f"{self.address}/ping", timeout=2).status_code == 204
        except httpx2.HTTPError:
            return False

    def sql(self, query: str) -> list[dict[str, Any]]:
        """Rows by column."""
        answer = httpx2.get(f"{self.address}/exec", params={"query": query}, timeout=30)
        body = json.loads(answer.text, strict=False)  # it writes control characters as they are
        assert answer.status_code == 200, body
        names = [column["name"] for column in body.get("columns", ())]
        return [dict(zip(names, row, strict=True)) for row in body.get("dataset", ())]

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Once what was written shows; without what is null."""

        def applied() -> bool:
            found = self.sql(f"SELECT * FROM wal_tables() WHERE name = '{table}'")
            return all(row["writerTxn"] == row["sequencerTxn"] for row in found)

        eventually(applied, what=f"{table} is applied")
        if not self.sql(f"SELECT 1 FROM tables() WHERE table_name = '{table}'"):
            return []
        found = self.sql(f'SELECT * FROM "{table}"')
        return [{name: value for name, value in row.items() if value is not None} for row in found]
