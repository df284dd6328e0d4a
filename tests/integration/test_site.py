"""The site of the documentation: built strictly and without a network, loading nothing from elsewhere; and its tutorials' commands."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from uns.testing.patience import patient

pytestmark = pytest.mark.long
ROOT = Path(__file__).parents[2]
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
LOADS = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


class Loaded(HTMLParser):
    """What a page loads by itself: no links, which are followed by people."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag in LOADS and given.get("rel") not in ("canonical", "next", "prev"):
            self.found.append(given.get(LOADS[tag]) or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    subprocess.run([sys.executable, ROOT / "docs" / "site" / "stage.py", folder / "source"], check=True, timeout=60)
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    config |= {"docs_dir": str(folder / "source"), "site_dir": str(folder / "built")}
    (folder / "mkdocs.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    # No proxy can answer there: what would be fetched fails the build.
    environ = {
        **os.environ,
        "NO_MKDOCS_2_WARNING": "1",
        "https_proxy": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
    }
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(folder / "mkdocs.yml")]
    built = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=patient(150), check=False)
    assert built.returncode == 0, built.stderr
    return folder / "built"


@pytest.mark.timeout(400)
def test_every_page_is_there_and_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 80
    for page in pages:
        loaded = Loaded()
        loaded.feed(page.read_text(encoding="utf-8"))
        assert [each for each in loaded.found if re.match(r"(https?:)?//", each)] == [], page
    assert (site / "docs" / "tutorials" / "machine.html").exists()
    assert "Traceback" not in (site / "docs" / "troubleshooting.html").read_text(encoding="utf-8")


def test_a_link_that_leads_nowhere_fails_it(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("[x](nowhere.md) [y](#nothing)\n", encoding="utf-8")
    config = {"site_name": "x", "strict": True, "validation": {"links": {"not_found": "warn", "anchors": "warn"}}}
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    command = [sys.executable, "-m", "mkdocs", "build", "-f", str(tmp_path / "mkdocs.yml")]
    built = subprocess.run(command, capture_output=True, text=True, timeout=patient(60), check=False)
    assert built.returncode != 0
    assert "nowhere.md" in built.stderr


@pytest.mark.timeout(400)
@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_the_commands_of_a_tutorial_run(page: Path, tmp_path: Path) -> None:
    """In one folder, in their order; those that name a plant of an earlier page find one."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    given = {name: value for name, value in os.environ.items() if not name.startswith(("UNS_", "PYTEST_"))}
    environ = {
        **given,
        "UNS_STATE_DIR": str(tmp_path / "state"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    text = "".join(blocks)
    first = "" if "uns init" in text else "uns init plant > /dev/null\n"
    ran = subprocess.run(
        ["bash", "-e", "-c", first + text],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=patient(150),
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr
    if page.stem == "machine":
        assert "GoodParts" in ran.stdout
    if page.stem == "kpi":
        assert "PQQ" in ran.stdout + ran.stderr
