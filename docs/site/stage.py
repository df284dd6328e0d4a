"""Gathers the repository's pages for mkdocs, where they are, so that links between them hold; `make docs` runs it.

A link to a file that is no page (code, a model) becomes its words: the site has pages alone.
"""

import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = ("*.md", "docs/**/*.md", "connectors/**/*.md", "sinks/**/*.md")
BESIDE = ("docs/images/*", "docs/notebooks/*")
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
BLOCK = re.compile(r"(```.*?```)", re.DOTALL)
FOREIGN = re.compile(r"[a-z]+:")


def pages() -> list[Path]:
    found = {page for pattern in PAGES for page in ROOT.glob(pattern)}
    return sorted(page for page in found if page.is_file() and "build" not in page.relative_to(ROOT).parts)


def staged(text: str, page: Path, known: set[Path]) -> str:
    """A page whose links lead to pages, to what stands beside them, or elsewhere in the world."""

    def link(found: "re.Match[str]") -> str:
        image, words, target = found.groups()
        file = target.partition("#")[0]
        if not file or FOREIGN.match(file) or (page.parent / file).resolve() in known:
            return found[0]
        return words if not image else found[0]

    return "".join(part if part.startswith("```") else LINK.sub(link, part) for part in BLOCK.split(text))


def stage(folder: Path) -> int:
    """Writes all pages below a folder, which is made anew. Returns how many."""
    shutil.rmtree(folder, ignore_errors=True)
    found = pages()
    beside = [file for pattern in BESIDE for file in ROOT.glob(pattern)]
    known = {file.resolve() for file in (*found, *beside)}
    for page in found:
        target = folder / page.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(staged(page.read_text(encoding="utf-8"), page, known), encoding="utf-8")
    for file in beside:
        target = folder / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    return len(found)


if __name__ == "__main__":
    print(f"{stage(Path(sys.argv[1]))} pages")
