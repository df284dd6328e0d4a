"""Java libraries from Maven Central by jgo: fetched once, checked, cached."""

import fcntl
import importlib.util
import shutil
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from uns.errors import ServiceError
from uns.local.service import Progress

_STEP = 10_000_000


def fetch(coordinates: str, label: str, progress: Progress = lambda line: None) -> Path:
    """A folder with the jars of `group:artifact:version` and all it needs. Raises `ServiceError`.

    `progress` hears of a download only when there is one.
    """
    if importlib.util.find_spec("jgo") is None:
        raise ServiceError(
            "the embedded Kafka needs the extra `embedded`: pip install 'uns-backbone[embedded]'; "
            "or set UNS_BOOTSTRAP to a Kafka that runs elsewhere"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import jgo
        from jgo.config import GlobalSettings
        from jgo.maven import PythonResolver
    settings = GlobalSettings.load()
    cache = Path(settings.repo_cache)
    for _ in range(2):
        try:
            with _alone(Path(settings.cache_dir)):
                folder = Path(
                    jgo.build(coordinates, resolver=PythonResolver(progress_callback=_counter(label, progress))).path
                )
        except (OSError, RuntimeError) as error:
            raise ServiceError(
                f"{label} is not on this machine yet and cannot be fetched ({type(error).__name__}: {str(error)[:200]}). "
                f"It comes once from Maven Central into {cache}. Connect to the network "
                "(a proxy is taken from HTTPS_PROXY), or copy that folder from a machine that has it, "
                "or set UNS_BOOTSTRAP to a Kafka that runs elsewhere"
            ) from None
        broken = [jar for jar in folder.rglob("*.jar") if not zipfile.is_zipfile(jar)]
        if not broken:
            return folder
        # A download that was broken off stays in the cache as if it were whole: away with it, and once more.
        for jar in broken:
            for copy in cache.rglob(jar.name):
                copy.unlink()
        shutil.rmtree(folder)
    raise ServiceError(f"{label}: these jars arrive damaged: {', '.join(jar.name for jar in broken)}. Try again later")


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Waits until no other process links jars into this cache: two at once trip over each other's files."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "uns-backbone.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the kernel frees it with its owner
        yield


def _counter(label: str, progress: Progress) -> Callable[[str, int], object]:
    """jgo's progress callback; it is called for each file, and told of each piece."""
    had = 0

    @contextmanager
    def file(name: str, size: int) -> Iterator[Callable[[int], None]]:
        def piece(length: int) -> None:
            nonlocal had
            before, had = had, had + length
            if before // _STEP != had // _STEP:
                progress(f"… {label}: {had / 1e6:.0f} MB fetched")

        if had == 0:
            progress(f"… {label}: fetching from Maven Central, this once")
        yield piece

    return file
