"""facekit on an emulated arm64 board, and the comparison of its answers with this machine's."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scripts.board_steps import Answer, Step, compared, differences, read

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "emulate-board.sh"


def emulate(*arguments: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(shutil.which("bash")), str(SCRIPT), *map(str, arguments)],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.board
def test_every_answer_of_the_emulated_board_is_right() -> None:
    """The folder is kept for the next run: some 20 minutes at first, then 10."""
    folder = os.environ.get("FACEKIT_BOARD")
    if not folder:
        pytest.skip("FACEKIT_BOARD names no folder for the board's root, of 2.5 GB")
    for tools in (("unshare",), ("qemu-aarch64-static", "qemu-aarch64"), ("apt-get",)):
        if not any(map(shutil.which, tools)):
            pytest.skip(f"no {tools[0]}; {SCRIPT.name} says what to install")
    done = emulate(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WRONG" not in done.stdout


class TestScript:
    def test_without_a_folder_it_tells_its_use(self) -> None:
        done = emulate()
        assert done.returncode == 2
        assert "Usage: scripts/emulate-board.sh FOLDER" in done.stderr

    def test_the_checkout_is_left_alone(self) -> None:
        done = emulate(ROOT / "facekit")
        assert done.returncode == 1
        assert "FOLDER must lie outside of the checkout" in done.stderr

    def test_what_is_not_installed_is_named(self, tmp_path: Path) -> None:
        tools = tmp_path / "tools"
        tools.mkdir()
        for name in ("dirname", "mkdir", "realpath", "apt-get"):
            (tools / name).symlink_to(shutil.which(name) or "/bin/true")
        done = emulate(tmp_path / "board", PATH=str(tools))
        assert done.returncode == 1
        assert "sudo apt-get install dpkg util-linux qemu-user-static" in done.stderr


def wrong(here: Any, there: Any) -> list[str]:
    return [one.where for one in differences(here, there) if one.size > one.allowed]


class TestComparison:
    def test_similarities_may_differ_by_a_hundredth_and_places_by_a_pixel(self) -> None:
        here = {"similarity": 0.5, "box_xyxy": [400, 20.5]}
        assert wrong(here, {"similarity": 0.509, "box_xyxy": [401, 20]}) == []
        there = {"similarity": 0.511, "box_xyxy": [402, 20]}
        assert wrong(here, there) == [".box_xyxy[0]", ".similarity"]

    def test_embeddings_are_compared_by_their_angle(self) -> None:
        """(1, 0, ...) and (cos a, sin a, 0, ...), for cosines of 0.99 and 0.97."""
        here = {"vector": [1.0] + [0.0] * 127}
        assert wrong(here, {"vector": [0.99, math.sqrt(1 - 0.99**2)] + [0.0] * 126}) == []
        assert wrong(here, {"vector": [0.97, math.sqrt(1 - 0.97**2)] + [0.0] * 126}) == [".vector"]

    def test_a_decision_must_be_equal(self) -> None:
        assert wrong({"verified": True}, {"verified": False}) == [".verified"]
        assert wrong({"verified": True}, {"verified": 1.0}) == []
        assert wrong(["same\ta.jpg"], ["different\ta.jpg"]) == ["[0]"]

    def test_nothing_may_be_missing(self) -> None:
        assert wrong({"a": 1}, {"b": 1}) == [".a", ".b"]
        assert wrong([1, 2], [1]) == [""]
        assert wrong({"a": None}, {"a": 0.0}) == [".a"]

    def test_times_are_left_out(self) -> None:
        here = {"time": 1, "timings_ms": {"load": 2}, "median_ms": 3}
        assert wrong(here, {"time": 10, "timings_ms": {}, "median_ms": 30}) == []

    def test_json_json_lines_and_text_are_read(self) -> None:
        assert read('{"a":\n1}') == {"a": 1}
        assert read('{"a": 1}\n{"a": 2}\n') == [{"a": 1}, {"a": 2}]
        assert read("same\ta.jpg\n") == ["same\ta.jpg"]

    def test_a_row_tells_what_is_wrong(self) -> None:
        step = Step("verify", "verify", 0)
        right = Answer(0, '{"similarity": 0.700}', "", "", 1, 1)
        near = Answer(0, '{"similarity": 0.701}', "", "", 20, 20)
        row = compared(step, right, near)
        assert (row.wrong, round(row.difference, 9)) == ((), 0.001)
        broken = Answer(70, "", "Traceback (most recent call last):", "", 20, 20)
        assert compared(step, right, broken).wrong[:2] == ("exit code 70 there", "a traceback")

    def test_a_file_that_was_not_written_is_wrong(self) -> None:
        step = Step("embed", "embed", 0, compared=False, output="a.jsonl")
        nothing = Answer(0, "", "", "", 1, 1)
        assert compared(step, nothing, nothing).wrong == ("no a.jsonl here",)

    def test_only_the_exit_code_counts_where_answers_name_versions(self) -> None:
        step = Step("doctor", "doctor", 0, compared=False)
        row = compared(
            step, Answer(0, "numpy 2.4", "", "", 1, 1), Answer(0, "numpy 2.2", "", "", 9, 9)
        )
        assert row.wrong == ()
        assert math.isnan(row.difference)
