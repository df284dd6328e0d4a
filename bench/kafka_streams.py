"""Kafka Streams: jars from Maven, our source compiled where a compiler is, else by Eclipse's on the runtime from pip.

Configuration: exactly_once_v2; one stream thread; a commit each 500 ms (its default of 100 ms is slower); state store in
memory with record cache and changelog, as ours is (RocksDB is no faster); lz4 as all engines here; 1 GB of heap and the
parallel collector (faster here than the default one). The rest is its defaults, among them its cache of 10 MB and a
linger of 100 ms.
"""

import os
import shutil
import subprocess
from pathlib import Path

from bench.cluster import Failed
from bench.step import IDS
from schemas.history import versions
from uns.errors import ServiceError
from uns.local import jars, java

VERSION = "4.3.0"
COORDINATES = {
    f"Kafka Streams {VERSION} (100 MB)": f"org.apache.kafka:kafka-streams:{VERSION}",
    "Avro": "org.apache.avro:avro:1.12.1",
}
COMPILER = "org.eclipse.jdt:ecj:3.40.0"
SOURCE = Path(__file__).parent / "java" / "StateChanges.java"
PUBLISHED = Path(__file__).parents[1] / "schemas" / "published"
PROPERTIES = {
    "processing.guarantee": "exactly_once_v2",
    "num.stream.threads": "1",
    "commit.interval.ms": "500",
    "auto.offset.reset": "earliest",
    "producer.compression.type": "lz4",
}
JVM = ("-Xmx1g", "-XX:+UseParallelGC")
COMPILE_S = 120.0


def command(build: Path) -> list[str]:
    """The command up to the program's own arguments; compiles where the source is newer. Raises `Failed`."""
    try:
        runtime = java.find()
        folders = [jars.fetch(coordinates, label) for label, coordinates in COORDINATES.items()]
        classes = build / "java"
        classpath = os.pathsep.join(f"{folder}/{kind}/*" for folder in folders for kind in ("modules", "jars"))
        if not _fresh(classes):
            _compile(runtime.path, classpath, folders, classes)
    except ServiceError as error:
        raise Failed(f"Kafka Streams: {error}") from None
    options = [*JVM]
    if runtime.major >= 24:
        options += ["--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"]
    return [runtime.path, *options, "-cp", f"{classes}{os.pathsep}{classpath}", "StateChanges"]


def arguments() -> list[str]:
    """What follows bootstrap, input, output, application id, state folder and the file for the begin."""
    return [
        str(_schema("Samples")),
        str(_schema("State")),
        str(IDS["Samples"]),
        str(IDS["State"]),
        *(f"{name}={value}" for name, value in PROPERTIES.items()),
    ]


def _schema(record: str) -> Path:
    """The file of a record's newest published schema, which is today's."""
    return PUBLISHED / record / f"{max(versions(record))}.avsc"


def _fresh(classes: Path) -> bool:
    compiled = classes / "StateChanges.class"
    return compiled.exists() and compiled.stat().st_mtime > SOURCE.stat().st_mtime


def _compile(java_path: str, classpath: str, folders: list[Path], classes: Path) -> None:
    classes.mkdir(parents=True, exist_ok=True)
    if javac := _javac(java_path):
        compiler, path = [javac, "-nowarn", "--release", "17"], classpath
    else:
        ecj = jars.fetch(COMPILER, "Eclipse's Java compiler (3 MB)")
        compiler = [java_path, "-jar", str(next(ecj.rglob("ecj-*.jar"))), "-nowarn", "-proc:none", "-17"]
        path = os.pathsep.join(str(jar) for folder in folders for jar in folder.rglob("*.jar"))  # knows no wildcard
    try:
        done = subprocess.run(
            [*compiler, "-cp", path, "-d", str(classes), str(SOURCE)],
            capture_output=True,
            text=True,
            timeout=COMPILE_S,
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"{SOURCE.name} does not compile within {COMPILE_S:.0f} s") from None
    if done.returncode:
        raise Failed(f"{SOURCE.name} does not compile: {(done.stdout + done.stderr).strip()[-600:]}")


def _javac(java_path: str) -> str | None:
    beside = Path(java_path).resolve().with_name("javac")
    return str(beside) if beside.exists() else shutil.which("javac")
