"""Cards of files that people bring: what a file tells is filled in, what it does not is named."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from facekit.conversion.import_options import ImportedModel, ImportOptions
from facekit.enums import Preprocessing
from facekit.errors import (
    ModelMismatchError,
    ModelMissingError,
    UsageError,
)
from facekit.graph import moves, operations
from facekit.graph.graph import Graph
from facekit.graph.write.litert import to_litert
from facekit.model.card import EXAMPLE, parse_card
from facekit.tasks.import_model import import_model
from facekit.tasks.model_card import card, card_draft
from tests.networks.own_networks import EMBEDDING_SIZE, SIDE_PX, mobilefacenet


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """An ONNX network, channels first."""
    pytest.importorskip("onnx", reason="no onnx: pip install '.[convert]'")
    pytest.importorskip("onnxruntime", reason="no onnxruntime: pip install '.[convert]'")
    return mobilefacenet(tmp_path / "mine.onnx")


def test_what_the_file_tells_is_filled_in_and_the_rest_is_named(mine: Path) -> None:
    made = card_draft(mine)
    content = mine.read_bytes()
    assert made.content["file_sha256"] == hashlib.sha256(content).hexdigest()
    assert made.content["file_size_bytes"] == len(content)
    assert (made.content["name"], made.content["variant"]) == ("mine", "onnx-fp32")
    assert made.content["embedding_size"] == EMBEDDING_SIZE
    spec = made.content["input"]
    assert (spec["height_px"], spec["width_px"]) == (SIDE_PX, SIDE_PX)
    unknown = ("source.title", "source.license", "input.color_order", "input.mean", "input.std")
    assert made.to_fill_in == (*unknown, "crop.rule")
    with pytest.raises(ModelMismatchError) as caught:
        parse_card(made.content, origin="mine.json")
    for place in made.to_fill_in:
        assert f"card.{place} must be" in str(caught.value)


def test_a_systems_way_leaves_only_the_source_to_say(mine: Path) -> None:
    made = card_draft(mine, preprocessing=Preprocessing.SPHEREFACE)
    assert made.to_fill_in == ("source.title", "source.license")
    assert (made.content["flip"], made.content["embedding_size"]) == ("concat", 2 * EMBEDDING_SIZE)
    made.content["source"] |= {"title": "us", "license": "ours"}
    parse_card(made.content, origin="mine.json")


def test_a_template_replaces_nothing_unasked(mine: Path, tmp_path: Path) -> None:
    output = tmp_path / "mine.json"
    assert card_draft(mine, output=output).output == output
    before = output.read_bytes()
    with pytest.raises(UsageError, match="--force"):
        card_draft(mine, preprocessing=Preprocessing.RAW, output=output)
    assert output.read_bytes() == before
    card_draft(mine, preprocessing=Preprocessing.RAW, output=output, force=True)
    assert json.loads(output.read_bytes())["input"]["std"] == 1.0


def test_a_card_is_checked_against_its_file_and_the_network_in_it(
    mine: Path, tmp_path: Path
) -> None:
    output = tmp_path / "mine.json"
    made = card_draft(mine, preprocessing=Preprocessing.RAW).content
    made["source"] |= {"title": "us", "license": "ours"}
    output.write_text(json.dumps(made))
    assert card(str(mine)).content == made
    output.write_text(json.dumps({**made, "embedding_size": 7}))
    with pytest.raises(ModelMismatchError, match=r"says input \(48, 48, 3\) and 7 outputs"):
        card(str(mine))
    output.write_text(json.dumps({**made, "file_size_bytes": 7}))
    with pytest.raises(ModelMismatchError, match="7 bytes needed"):
        card(str(mine))


def test_what_can_have_no_card(mine: Path, tmp_path: Path, data: Path) -> None:
    with pytest.raises(ModelMissingError, match="no model file"):
        card_draft(tmp_path / "none.onnx")
    odd = shutil.copy(mine, tmp_path / "my net.onnx")
    with pytest.raises(UsageError, match="letters, digits"):
        card_draft(Path(odd))
    with pytest.raises(UsageError, match=r"ends in \.tflite or \.onnx"):
        card_draft(data / "obama.jpg")
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"\x1c\0\0\0TFL3" + bytes(range(200)))
    with pytest.raises(ModelMismatchError, match=r"broken\.tflite is not a LiteRT model"):
        card_draft(broken)
    x = operations.graph_input("x", (1, 8, 8, 3))
    path = tmp_path / "picture.tflite"
    path.write_bytes(to_litert(Graph("picture", (operations.relu(x, "relu"),))))
    with pytest.raises(ModelMismatchError, match=r"give one embedding, \(N, D\)"):
        card_draft(path)


def test_weights_in_another_file_are_for_import_and_count_for_the_sha256(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A card's sha256 is that of one file: weights beside it could change unnoticed."""
    import onnx

    apart = tmp_path / "apart.onnx"
    model = onnx.load(mine)
    onnx.save(model, apart, save_as_external_data=True, location="apart.data", size_threshold=0)
    with pytest.raises(UsageError, match=r"apart\.onnx has weights in apart\.data"):
        card_draft(apart)
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    options = ImportOptions(preprocessing=Preprocessing.INSIGHTFACE, accept_untrained=True)
    made = import_model(apart, name="mine", options=options)
    assert isinstance(made, ImportedModel)
    both = apart.read_bytes() + (tmp_path / "apart.data").read_bytes()
    assert made.model.card.source.sha256 == hashlib.sha256(both).hexdigest()


def test_a_litert_file_with_channels_first_is_to_be_imported(tmp_path: Path) -> None:
    x = operations.graph_input("x", (1, 3, 8, 8))
    last = moves.transpose(x, (0, 2, 3, 1), "last")
    kernel = np.ones((3, 4), np.float32)
    net = operations.dense(operations.mean(last, "mean"), kernel, "head")
    path = tmp_path / "mine.tflite"
    path.write_bytes(to_litert(Graph("first", (net,))))
    made = json.loads(EXAMPLE.read_bytes()) | {
        "file_name": path.name,
        "file_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "file_size_bytes": path.stat().st_size,
        "embedding_size": 4,
    }
    made["input"] |= {"height_px": 8, "width_px": 8}
    made["calibration"] |= {"embedding_mean": None, "space": None, "others": []}
    path.with_suffix(".json").write_text(json.dumps(made))
    with pytest.raises(ModelMismatchError, match="facekit models import FILE --as NAME"):
        card(str(path))
