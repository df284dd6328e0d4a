"""`uns quality`: train a model that predicts scrap from process values, and show what one says of itself."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uns.cli.app import UserError, app, emit, group
from uns.cli.options import TIMES, JsonOption, PlantOption, which_plant

if TYPE_CHECKING:
    from uns.reports.quality.training import Trained

quality = group(
    "Capability of processes, and models that predict scrap.",
    {"capability": "capability", "train": "quality", "show": "quality"},
)
app.add_typer(quality, name="quality")


def checked_name(name: str) -> tuple[str, int]:
    """The model's name and version. Raises `UserError`."""
    label, _, version = name.partition("@")
    if not label or not version.isdecimal() or not label.replace("-", "").isalnum():
        raise UserError(f"{name!r} is no name of a model; letters and digits, @ and a version number, e.g. scrap@1")
    return label, int(version)


@quality.command()
def train(
    name: Annotated[str, typer.Argument(metavar="NAME@VERSION", help="what the model is called, e.g. scrap@1")],
    wanted: Annotated[
        str, typer.Argument(metavar="[FILTER]", help="MQTT filter over the machines to learn from")
    ] = "#",
    begin: Annotated[str | None, typer.Option("--from", help=f"begin of the history: beginning, now, {TIMES}")] = None,
    until: Annotated[str | None, typer.Option("--to", help=f"end, excluded: now, {TIMES} (default: now)")] = None,
    file: Annotated[
        str | None,
        typer.Option(help="in place of Kafka: raw records as for `uns fold`, or what `uns fold --json` says"),
    ] = None,
    characteristic: Annotated[
        list[str] | None,
        typer.Option(help="a process value to learn from; again for more (default: all that are known)"),
    ] = None,
    plant: PlantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a model on production records and process values, judge it on later time, and write it into the plant folder.

    Writes nothing, and ends with 1, where it does not beat the base rate there by more than chance.
    """
    from processors.analysis.distributions import Absent
    from processors.analysis.observations import Of
    from processors.analysis.selection import Incomparable
    from schemas.records import Production, Quality
    from uns.cli.drivers import material_of
    from uns.cli.failures import failures_told
    from uns.cli.words import filter_of
    from uns.client.subscribe import NothingMatches
    from uns.reports.quality.rows import rows_of
    from uns.reports.quality.training import NotWorthIt
    from uns.reports.quality.training import train as trained_on

    folder = which_plant(plant)
    label, version = checked_name(name)
    target = (folder if folder.is_dir() else folder.parent) / f"quality-model-{label}-{version}.yaml"
    if target.exists():
        raise UserError(f"{target} is there already; a model is never changed, train {label}@{version + 1}")
    with failures_told(Incomparable, NothingMatches, LookupError, Absent, NotWorthIt):
        material, _, _, _ = material_of(file, filter_of(wanted), Of.SCRAP, begin, until, plant)
        rows = rows_of(material.of(Production), material.of(Quality), tuple(characteristic or ()))
        trained = trained_on(rows)
    target.write_text(_document(name, trained), encoding="utf-8")
    if as_json:
        emit({"model": name, "file": str(target), **_summary(trained)})
    else:
        typer.echo(_page(name, target, trained))


def _document(name: str, trained: "Trained") -> str:
    import yaml

    plain = {"quality_models": {name: trained.model.model_dump(mode="json")}}
    head = f"# Written by `uns quality train {name}`. Do not edit: its hash would not fit any more.\n"
    return head + str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))


def _summary(trained: "Trained") -> dict[str, Any]:
    return {
        "kind": trained.kind,
        "hash": trained.model.hash,
        "base_rate": trained.model.base_rate,
        "characteristics": list(trained.model.characteristics),
        "held_out": trained.model.held_out,
        "tried": [{"model": name, "log_loss": loss, "verdict": words} for name, loss, words in trained.tried],
    }


def _page(name: str, target: Path, trained: "Trained") -> str:
    found, model = trained.scores, trained.model
    gain = found.log_loss_gain
    lines = [
        f"{name}: {trained.kind}, from {', '.join(model.characteristics)}; hash {model.hash}",
        f"In later time ({str(model.held_out['from'])[:16]} … {str(model.held_out['to'])[:16]}), {found.scrap:,} of {found.pieces:,} pieces scrap:",
        f"  log-loss {found.log_loss:.5f} a piece, of the base rate {found.base_log_loss:.5f} ({gain.value:+.2g}, 95 %: {gain.low:+.2g} … {gain.high:+.2g})",
        f"  Brier score {found.brier:.5f}, of the base rate {found.base_brier:.5f}; calibration error {found.calibration_error:.2%}",
        "Tried, by log-loss in the time for choosing:",
        *(f"  {each}: {loss:.5f}, {words}" for each, loss, words in trained.tried),
        f"Written to {target}. To use it: `quality_model: {name}` in the equipment type, then `uns lint` and restart the processors.",
    ]
    return "\n".join(lines)


@quality.command()
def show(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME@VERSION]", help="a model of the plant; all by default")
    ] = None,
    plant: PlantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a model was trained on, how it did in later time, and which machines it predicts for."""
    from uns.cli.words import member
    from uns.model.plant import load_plant

    model = load_plant(which_plant(plant))
    if not model.quality_models:
        raise UserError("the plant model has no quality model; `uns quality train` makes one")
    if name is not None:
        member("quality model", name, model.quality_models, "the plant model")
    told = []
    for each in [name] if name is not None else sorted(model.quality_models):
        one = model.quality_models[each]
        used = [str(path) for path, kind in model.cells().items() if kind.quality_model == each]
        weights = {feature.characteristic: feature.weight for feature in one.features}
        told.append(
            {
                "model": each,
                "hash": one.hash,
                "kind": "gradient boosting" if one.trees else "logistic",
                "calibration": one.calibration.kind,
                "trained_from": one.trained_from,
                "trained_to": one.trained_to,
                "base_rate": one.base_rate,
                "log_odds_a_standard_deviation": weights,
                "held_out": one.held_out,
                "machines": used,
            }
        )
    if as_json:
        emit(told)
        return
    for document in told:
        for key, value in document.items():
            shown = ", ".join(map(str, value)) or "none" if isinstance(value, list) else value
            typer.echo(f"{key}: {shown}")
        typer.echo("")
