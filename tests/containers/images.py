"""The images of the compose file: pulled where a registry answers, else stand-ins under the same names.

A stand-in proves what the compose file says (folders, variables, order, users), not what the real image does with it.
Which ones a run had is printed.
"""

import shutil
import subprocess
from pathlib import Path

from tests.containers.engine import Unavailable, command
from uns.local import jars, kafka

HERE = Path(__file__).parent / "standins"
BASE = "python:3.11-slim-bookworm"
DEBIAN = "uns-test/bookworm"
SUITE = "bookworm"


def prepared(host: str, folder: Path, named: dict[str, str]) -> str:
    """The base image's name, once all of `named` (kind → image) are in the engine. Raises `Unavailable`."""
    docker = ("docker", "--host", host)
    if _pulled(docker, BASE):
        for image in named.values():
            assert _pulled(docker, image), f"{image} cannot be pulled"
        print(f"real images: {', '.join(named.values())}")
        return BASE
    if shutil.which("debootstrap") is None:
        raise Unavailable("no registry of images answers, and there is no debootstrap to make stand-ins of Debian")
    if not _there(docker, DEBIAN):
        _debian(docker, folder / SUITE)
    for kind, image in named.items():
        context = folder / kind
        shutil.copytree(HERE / kind, context, dirs_exist_ok=True)
        if kind == "kafka":
            _copy_jars(context / "jars")
        command(*docker, "build", "--quiet", "--build-arg", f"BASE={DEBIAN}", "--tag", image, context)
    print(
        f"stand-ins of Debian and Maven Central, no real images: {', '.join(named.values())}; base {DEBIAN} for {BASE}"
    )
    return DEBIAN


def _there(docker: tuple[str, ...], image: str) -> bool:
    return subprocess.run([*docker, "image", "inspect", image], capture_output=True).returncode == 0


def _pulled(docker: tuple[str, ...], image: str) -> bool:
    if _there(docker, image):
        return True
    return subprocess.run([*docker, "pull", image], capture_output=True, timeout=600).returncode == 0


def _debian(docker: tuple[str, ...], root: Path) -> None:
    """A Debian with Python, and this machine's certificates and settings of pip: what reaches the registries of packages."""
    packages = "ca-certificates,python3,python3-venv,python3-pip"
    command("debootstrap", "--variant=minbase", f"--include={packages}", SUITE, root)
    for file in ("etc/ssl/certs/ca-certificates.crt", "etc/pip.conf"):
        if Path("/", file).exists():
            shutil.copy(Path("/", file), root / file)
    with subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE) as packed:
        subprocess.run([*docker, "import", "-", DEBIAN], stdin=packed.stdout, check=True, capture_output=True)
    assert packed.returncode == 0
    shutil.rmtree(root)


def _copy_jars(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for label, coordinates in kafka.COORDINATES.items():
        for jar in jars.fetch(coordinates, label).rglob("*.jar"):
            shutil.copy(jar, folder)
