"""The fold over tests/cases/fold: a file of raw records, and what stands in what is derived of it."""

from pathlib import Path

import pytest

from tests.harness.cases import cases, document, name
from tests.harness.fold_files import plant
from topology.model.plant import Plant
from uns.history.file.fold import fold
from uns.history.file.read import read


@pytest.mark.parametrize("folder", cases("fold"), ids=name)
def test_case(folder: Path) -> None:
    """Each expected record must be there once, with these values; what is refused must be exactly what is expected."""
    case = document(folder)
    assert case.get("records") or case.get("refused"), f"{folder.name} expects nothing"
    own = folder / "plant.yaml"
    model = Plant.model_validate(document(folder, own.name)) if own.exists() else plant()
    folded = fold(model, read((folder / "input.jsonl").read_bytes()))
    for expected in case.get("records", ()):
        fields = {field: value for field, value in expected.items() if field != "class"}
        of_class = [record for record in folded.records if record.message_class == expected["class"]]
        matching = [r for r in of_class if all(getattr(r, field) == value for field, value in fields.items())]
        assert len(matching) == 1, f"{expected}: {len(matching)} of {of_class}"
    refused = case.get("refused", [])
    assert [(refusal.line, refusal.reason) for refusal in folded.refused] == [(r["line"], r["reason"]) for r in refused]
