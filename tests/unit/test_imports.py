"""Importing us does nothing to the process that does it: no environment, no logger, no signal, no thread of ours."""

import json
import subprocess
import sys

_PROGRAM = """
import importlib, json, logging, os, pkgutil, signal, sys, warnings
warnings.simplefilter("ignore")

def levels():
    return {name: logger.level for name, logger in logging.Logger.manager.loggerDict.items() if isinstance(logger, logging.Logger)}

def look():
    return {
        "environ": dict(os.environ),
        "root": [logging.getLogger().level, [repr(handler) for handler in logging.getLogger().handlers]],
        "signals": [str(signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)],
    }

libraries = ("aiokafka", "asyncua", "confluent_kafka", "faust", "paho.mqtt.client", "psycopg", "pydantic", "uvicorn")
for name in libraries:  # what they do to a process by themselves is theirs
    importlib.import_module(name)
before, known = look(), levels()
imported = []
for package in ("schemas", "topology", "processors", "connectors", "sinks", "uns"):
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
            imported.append(module.name)
after = look()
changed = [name for name in before if before[name] != after[name]]
changed += [name for name, level in levels().items() if name in known and known[name] != level]
print(json.dumps({"imported": len(imported), "changed": changed}))
"""


def test_importing_every_module_changes_nothing_in_the_process() -> None:
    result = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=170, check=True)
    told = json.loads(result.stdout.splitlines()[-1])
    assert told["imported"] > 150
    assert told["changed"] == []
