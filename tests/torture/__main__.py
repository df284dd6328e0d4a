"""`make torture`: random kills by default, one named fault with `--case NAME`, everything with `--all`."""

import argparse
import json
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

from tests.torture.case import Skipped, Stage
from tests.torture.cases import CASES
from tests.torture.kills import kill
from tests.torture.room import Services


def main() -> int:
    given = _arguments()
    if given.list:
        for case in CASES.values():
            print(f"{case.name:24}{case.what}")
        return 0
    folder = Path(tempfile.mkdtemp(prefix="uns-torture-"))
    ok = False
    try:
        with Services(folder) as services:
            results: dict[str, Any] = {}
            ok = True
            if given.all or not given.case:
                results, ok = _kills(services, given)
            if given.all or given.case:
                stage = Stage(services, given.seed, given.full)
                results["cases"] = [_case(name, stage) for name in given.case or CASES]
                ok = ok and all(result["outcome"] != "failed" for result in results["cases"])
        if given.json is not None:
            given.json.parent.mkdir(parents=True, exist_ok=True)
            given.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
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
    parser.add_argument(
        "--case", action="append", choices=list(CASES), metavar="NAME", help="a fault; --list names all"
    )
    parser.add_argument("--all", action="store_true", help="the kills, then every case")
    parser.add_argument("--full", action="store_true", help="cases at full length: minutes where seconds show the same")
    parser.add_argument("--list", action="store_true", help="name the cases and end")
    parser.add_argument("--json", type=Path, help="where to write the result")
    parser.add_argument("--keep", action="store_true", help="keep logs and data also when all is well")
    return parser.parse_args()


def _kills(services: Services, given: argparse.Namespace) -> tuple[dict[str, Any], bool]:
    result = kill(services, given.kills, given.seed, given.workers, given.rate)
    figures = result.json()
    print(json.dumps(figures, indent=2), flush=True)
    if not result.verdict.ok:
        print(f"DIFFERS: {result.verdict.differences[0]}", file=sys.stderr)
    return figures, result.verdict.ok


def _case(name: str, stage: Stage) -> dict[str, Any]:
    begun, why = time.monotonic(), ""
    try:
        CASES[name].run(stage)
        outcome = "passed"
    except Skipped as skipped:
        outcome, why = "skipped", str(skipped)
    except Exception as error:
        outcome, why = "failed", f"{type(error).__name__}: {error}"
        traceback.print_exc()
    seconds = round(time.monotonic() - begun, 1)
    print(f"{outcome:8}{name:24}{seconds:6.1f} s  {why.splitlines()[0] if why else ''}", flush=True)
    return {"case": name, "outcome": outcome, "seconds": seconds, "why": why}


if __name__ == "__main__":
    sys.exit(main())
