"""`make torture`: random kills by default, one case with `--case NAME`, everything with `--all`."""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from tests.torture.kills import Result, kill
from tests.torture.room import Services


def main() -> int:
    given = _arguments()
    folder = Path(tempfile.mkdtemp(prefix="uns-torture-"))
    ok = False
    try:
        with Services(folder) as services:
            result = kill(services, given.kills, given.seed, given.workers, given.rate)
        _write(given.json, result)
        ok = result.verdict.ok
        return 0 if ok else 1
    finally:
        if ok and not given.keep:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"logs and data are kept in {folder}", file=sys.stderr)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="how many times a worker dies")
    parser.add_argument("--seed", type=int, default=1, help="of every chance")
    parser.add_argument("--workers", type=int, default=2, help="worker slots")
    parser.add_argument("--rate", type=float, default=200.0, help="raw records a second")
    parser.add_argument("--json", type=Path, help="where to write the result")
    parser.add_argument("--keep", action="store_true", help="keep logs and data also when all is well")
    return parser.parse_args()


def _write(where: Path | None, result: Result) -> None:
    text = json.dumps(result.json(), indent=2)
    if where is not None:
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_text(text + "\n", encoding="utf-8")
    print(text)
    if not result.verdict.ok:
        print(f"DIFFERS: {result.verdict.differences[0]}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
