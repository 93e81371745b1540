"""On a real Ray of two actor processes: what worker processes promise, promised again."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import facekit
from facekit.errors import ImageError, MissingExtraError, ModelMissingError, UsageError
from facekit.pipeline.photos import PhotoFailure, embed_each
from facekit.pipeline.records import EmbeddedPicture
from facekit.system.processes import Crash
from facekit.system.ray_cluster import map_ray
from facekit.template.file import read_embeddings


@pytest.fixture
def ray_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With actors that find this file, and a token of its own: Ray would write one to the home."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", _TOKEN)
    pytest.importorskip("ray", reason="pip install '.[ray]'")


_TOKEN = secrets.token_hex(32)  # one for all tests: Ray reads it once a process


class DieOnThree:
    """Picklable: kills each actor that sees 3, and the first that sees 5."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __call__(self) -> Callable[[int], int]:
        return self.run

    def run(self, number: int) -> int:
        if number == 3:
            os._exit(9)
        if number == 5 and not self.mark.exists():
            self.mark.touch()
            os._exit(9)
        time.sleep(0.05 if number % 2 == 0 else 0)
        return number * number


def make_nothing() -> Callable[[int], int]:
    raise ModelMissingError("not on this node")


@pytest.mark.install
@pytest.mark.usefixtures("ray_installed")
def test_order_is_kept_and_crashes_are_survived(tmp_path: Path) -> None:
    results = list(map_ray(DieOnThree(tmp_path / "died"), range(12), address="local", workers=2))
    assert results == [n * n if n != 3 else Crash(None) for n in range(12)]
    assert (tmp_path / "died").exists()


@pytest.mark.install
@pytest.mark.usefixtures("ray_installed")
def test_items_are_taken_only_as_results_are_wanted(tmp_path: Path) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(6, 1000):
            taken.append(number)
            yield number

    results = map_ray(DieOnThree(tmp_path), items(), address="local", workers=2)
    assert [next(results) for _ in range(3)] == [36, 49, 64]
    time.sleep(0.3)
    assert len(taken) < 20
    results.close()  # type: ignore[attr-defined] # a generator, though typed as an iterator


@pytest.mark.install
@pytest.mark.usefixtures("ray_installed")
def test_what_making_the_function_raises_is_raised_here() -> None:
    with pytest.raises(ModelMissingError, match="not on this node"):
        list(map_ray(make_nothing, range(3), address="local", workers=2))


@pytest.mark.install
@pytest.mark.model
@pytest.mark.usefixtures("ray_installed")
def test_photos_have_the_vectors_that_one_process_gives(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8 cut short")
    monkeypatch.chdir(data)  # the names are relative
    names = ["obama.jpg", str(tmp_path / "bad.jpg"), "biden.jpg"]
    pipeline = facekit.load(threads=1)
    here = list(embed_each(pipeline, names))
    there = list(embed_each(pipeline, names, workers=None, ray="local"))
    assert [one.name for one in there] == names
    assert isinstance(there[1], PhotoFailure)
    assert isinstance(there[1].error, ImageError)
    for index in (0, 2):
        one, other = here[index], there[index]
        assert isinstance(one, EmbeddedPicture)
        assert isinstance(other, EmbeddedPicture)
        assert other.name == names[index]
        np.testing.assert_array_equal(one.embeddings, other.embeddings)


@pytest.fixture
def cluster(ray_installed: None, tmp_path: Path) -> Iterator[str]:
    """The ray:// address of a head node with two cores."""
    with socket.socket() as probe, socket.socket() as other:
        for one in (probe, other):
            one.bind(("127.0.0.1", 0))
        port, client_port = (one.getsockname()[1] for one in (probe, other))
    command = [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"),
        *("--num-cpus=2", f"--port={port}", f"--ray-client-server-port={client_port}"),
        *("--include-dashboard=false", "--disable-usage-stats"),
        *("--min-worker-port=0", "--max-worker-port=0"),
    ]
    with (tmp_path / "head.log").open("wb") as log:
        head = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield f"ray://127.0.0.1:{client_port}"
    finally:
        head.terminate()
        head.wait(30)


@pytest.mark.slow  # Ray's client server at times fails to start its process on two busy cores
@pytest.mark.model
def test_a_cluster_embeds_and_stdout_has_the_result_alone(
    cluster: str, data: Path, tmp_path: Path
) -> None:
    output = tmp_path / "faces.npz"
    photos = ("obama.jpg", "biden.jpg", "obama2.jpg")
    done = subprocess.run(
        [sys.executable, "-m", "facekit", "embed", *photos, "--ray", cluster, "-o", str(output)],
        cwd=data,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"3 embeddings of 3 photos in {output}\n"
    assert [row.photo for row in read_embeddings(output).rows] == list(photos)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"facekit-cli\[ray\]"):
        next(map_ray(make_nothing, [1], address="local", workers=1))


def test_other_addresses_are_refused() -> None:
    with pytest.raises(UsageError, match=r"Received: 127\.0\.0\.1:6379"):
        next(map_ray(make_nothing, [1], address="127.0.0.1:6379", workers=1))
