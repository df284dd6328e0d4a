"""A plant folder to a `Plant`: every problem at once, each with its file, its line and what to do."""

from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath

from pydantic import ValidationError

from topology.document import Document, Problem, read
from topology.kpi.check import changed_as_shipped, faults
from topology.kpi.definition import Definition
from topology.model.explain import explain
from topology.model.kpis import own
from topology.model.plant import Plant
from topology.model.references import model_problems, written_problems
from topology.model.sources import Sources, dotted, merge


class PlantError(ValueError):
    """The plant model cannot be used; `problems` says why, all of it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


def load(folder: FilePath, environ: Mapping[str, str]) -> Plant:
    """Reads every `*.yaml` of a folder (or one file). Raises `PlantError`."""
    return load_with_sources(folder, environ)[0]


def load_with_sources(folder: FilePath, environ: Mapping[str, str]) -> tuple[Plant, Sources]:
    """Also says where things stand, for checks that need more than the model, such as a connector's own options."""
    return build(_documents(folder, environ))


def load_definitions(folder: FilePath, environ: Mapping[str, str]) -> tuple[dict[str, Definition], Sources]:
    """Label → the plant's own KPI definitions that can be read, whatever else is wrong. Raises `PlantError`: no YAML."""
    documents = _documents(folder, environ)
    merged, sources = merge(documents, [])
    if unreadable := [problem for document in documents for problem in document.problems]:
        raise PlantError(sorted(unreadable))
    return own(merged), sources


def build(documents: Sequence[Document]) -> tuple[Plant, Sources]:
    """The model of several documents. Raises `PlantError`."""
    problems = [problem for document in documents for problem in document.problems]
    merged, sources = merge(documents, problems)
    if problems:
        raise PlantError(sorted(problems))
    try:
        plant = Plant.model_validate(merged)
    except ValidationError as error:
        problems = [*explain(error, (), sources, Plant), *written_problems(merged, sources)]
        raise PlantError(sorted(set(problems))) from None
    if problems := written_problems(merged, sources) or model_problems(plant, sources):
        raise PlantError(sorted(problems))
    return plant, sources


def build_definition(document: Document) -> Definition:
    """The KPI definition that a file of its own holds. Raises `PlantError`."""
    sources = Sources((document,), {})
    if document.problems:
        raise PlantError(sorted(document.problems))
    try:
        definition = Definition.model_validate(document.value)
    except ValidationError as error:
        raise PlantError(sorted(set(explain(error, (), sources, Definition)))) from None
    problems = [sources.problem(where, f"{dotted(where)}: {words}") for where, words in faults(definition)]
    if changed_as_shipped(definition):
        words = (
            f"{definition.label} is shipped with other content; give a changed definition a name or version of its own"
        )
        problems.append(sources.problem(("version",), words))
    if problems:
        raise PlantError(sorted(problems))
    return definition


def files_of(folder: FilePath) -> list[FilePath]:
    """The files that a model is read from, in their order."""
    return [folder] if folder.is_file() else sorted((*folder.glob("*.yaml"), *folder.glob("*.yml")))


def _documents(folder: FilePath, environ: Mapping[str, str]) -> list[Document]:
    files = files_of(folder)
    if not files:
        raise PlantError(
            [Problem(str(folder), 1, "no plant model: no *.yaml file is here; `uns init` writes one to begin with")]
        )
    return [_read_file(file, environ) for file in files]


def _read_file(file: FilePath, environ: Mapping[str, str]) -> Document:
    try:
        return read(str(file), file.read_text(encoding="utf-8"), environ)
    except UnicodeDecodeError:
        return Document(str(file), problems=[Problem(str(file), 1, "not UTF-8 text; save it as UTF-8")])
    except OSError as error:
        return Document(str(file), problems=[Problem(str(file), 1, f"cannot be read: {error.strerror}")])
