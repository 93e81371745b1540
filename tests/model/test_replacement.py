"""What an import would change of models that are known, told before it is done."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from facekit.errors import UsageError
from facekit.model import installation, store
from facekit.model.archive import export_models, import_models
from facekit.model.replacement import replacements, threshold_changes
from facekit.model.shipped_calibrations import recognized
from facekit.tasks.import_model import import_model
from facekit.template.calibration import Calibration, OperatingPoint
from tests.model.made_up_model import SHA256, loosened, shipped_card, write_network


def point(target: str, similarity: float, fmr: float) -> OperatingPoint:
    return OperatingPoint(target, similarity, fmr, 0.1, 10, 10_000, None, None, "own", "photos")


STRICT = Calibration(operating_points=(point("fmr=1e-3", 0.5, 1e-3), point("fmr=1e-2", 0.4, 1e-2)))
LOOSE = Calibration(operating_points=(point("fmr=1e-3", -0.5, 1e-3),))


def test_thresholds_are_told_before_and_after() -> None:
    assert threshold_changes(STRICT, LOOSE) == (
        "fmr=1e-3: similarity >= 0.5000 becomes -0.5000",
        "fmr=1e-2: similarity >= 0.4000 goes away",
    )
    assert threshold_changes(Calibration(), STRICT)[0] == ("fmr=1e-3: similarity >= 0.5000 is new")
    assert threshold_changes(STRICT, STRICT) == ("its thresholds stay the same",)
    assert threshold_changes(Calibration(), Calibration()) == ()


def test_a_model_of_the_registry_comes_with_the_figures_that_ship(home: Path) -> None:
    for variant in ("float32", "int8"):
        assert replacements([recognized(shipped_card("sface", variant))]) == ()
    carried_over = replace(shipped_card(), variant="onnx-fp32", file_sha256=SHA256)
    assert replacements([carried_over]) == ()


def test_other_thresholds_of_a_known_name_are_told_though_nothing_is_stored(home: Path) -> None:
    (change,) = replacements([loosened(shipped_card("facenet512-casia"))])
    assert change.model == "facenet512-casia:float32"
    assert "figures than those that ship with facekit" in change.reason
    assert "fmr=1e-3 with mtcnn: similarity >= 0.4579 becomes -0.5000" in change.thresholds


def test_other_weights_under_a_known_name_are_told(home: Path) -> None:
    card = shipped_card()
    other = replace(card, source=replace(card.source, sha256=SHA256), calibration=Calibration())
    (change,) = replacements([other])
    assert "other weights" in str(change)
    assert replacements([replace(other, name="mine")]) == ()


def test_importing_over_a_stored_model_asks_for_force_and_tells_the_thresholds(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "theirs"))
    installation.install("toy", lambda folder: write_network(folder, calibration=LOOSE))
    export_models(["toy"], tmp_path / "toy.tar")
    monkeypatch.setenv("FACEKIT_HOME", str(home))
    installation.install("toy", lambda folder: write_network(folder, calibration=STRICT))
    card = store.variant_path("toy", "float32").with_suffix(".json")
    before = card.read_bytes()
    told = "fmr=1e-3: similarity >= 0.5000 becomes -0.5000"
    with pytest.raises(UsageError, match=f"(?s)--force.*toy:float32 .another card.*{told}"):
        import_models(tmp_path / "toy.tar")
    assert card.read_bytes() == before
    changes: list[str] = []
    import_models(tmp_path / "toy.tar", force=True, on_replaced=changes.append)
    assert len(changes) == 1
    assert told in changes[0]
    assert store.find("toy").card.calibration.operating_points[0].threshold_similarity == -0.5
    import_models(tmp_path / "toy.tar", on_replaced=changes.append)
    assert len(changes) == 1  # nothing changes any more


def test_weights_over_a_stored_model_tell_the_thresholds_that_would_go(
    home: Path, tmp_path: Path
) -> None:
    installation.install("toy", lambda folder: write_network(folder, calibration=STRICT))
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"never read")
    told = r"toy:float32 .of other weights.\s+fmr=1e-3: similarity >= 0.5000 goes away"
    with pytest.raises(UsageError, match=f"(?s)toy already.*--force.*{told}"):
        import_model(weights, name="toy")


def test_a_damaged_card_is_replaced_by_force_alone(home: Path, tmp_path: Path) -> None:
    installation.install("toy", lambda folder: write_network(folder, calibration=STRICT))
    export_models(["toy"], tmp_path / "toy.tar")
    store.variant_path("toy", "float32").with_suffix(".json").write_text("{")
    with pytest.raises(UsageError, match="in place of a damaged card"):
        import_models(tmp_path / "toy.tar")
    import_models(tmp_path / "toy.tar", force=True)
    assert store.find("toy").card.calibration.operating_points == STRICT.operating_points
