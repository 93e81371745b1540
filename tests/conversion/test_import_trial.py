"""What a network and its conversion do in a process of their own, before they run in this one."""

from __future__ import annotations

from pathlib import Path

import pytest

from facekit.conversion.import_trial import require_runs
from facekit.errors import ModelBuildError
from facekit.graph.graph import Graph
from facekit.graph.operations import graph_input
from tests.model.crashing_networks import WHEN_OPENED, crashing

ANY_GRAPH = Graph("any", (graph_input("image", (1, 16, 16, 3)),))


def test_a_source_file_that_crashes_its_runtime_is_refused(data: Path, tmp_path: Path) -> None:
    hostile = crashing(data, tmp_path, WHEN_OPENED)
    with pytest.raises(ModelBuildError, match=r"that ran it was ended by SIGSEGV\. .*Nothing is"):
        require_runs(hostile, ANY_GRAPH, data / "tiny" / "float32.tflite")


def test_what_was_made_and_crashes_is_refused(data: Path, tmp_path: Path) -> None:
    hostile = crashing(data, tmp_path, WHEN_OPENED)
    with pytest.raises(ModelBuildError, match="that ran it was ended by SIGSEGV"):
        require_runs(data / "tiny" / "float32.tflite", ANY_GRAPH, hostile)


def test_two_sound_files_pass(data: Path) -> None:
    sound = data / "tiny" / "float32.tflite"
    require_runs(sound, ANY_GRAPH, sound)
