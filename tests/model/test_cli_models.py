"""facekit models, and the building of a model that a command needs."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result

from facekit.cli import cli
from facekit.cli.terminal import TerminalReporter
from facekit.errors import MissingExtraError, ModelMissingError
from facekit.model import fetch, installation, registry, store
from facekit.model.card import read_card
from facekit.model.registry import RegistryEntry
from facekit.model.shipped_calibrations import shipped_calibration
from facekit.reporter import Reporter
from facekit.tasks.build import ensure_installed
from tests.model.made_up_model import write_model, write_network
from tests.schemas import require_schema
from tests.small_lfw import home_of_its_own

NETS = ("pnet", "rnet", "onet")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["models", *map(str, arguments)])


def run_json(*arguments: str | Path) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    payload: dict[str, Any] = json.loads(result.stdout)
    require_schema(f"models {arguments[0]}", payload)
    assert payload.pop("schema_version") == 1
    return payload


def add(name: str, *variants: str) -> None:
    for variant in variants:
        installation.install(name, partial(write_model, name=name, variant=variant))


def without_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """A build that takes no time; the names of what was built."""
    built: list[str] = []

    def build_files(
        entry: RegistryEntry,
        sources: Sequence[Path],
        into: Path,
        *,
        reporter: Reporter,
    ) -> None:
        assert [source.read_bytes() for source in sources] == [b"weights"]
        reporter.note("Converting")
        for variant in entry.variants:
            write_model(into, entry.name, variant)
        built.append(entry.name)

    def sources(entry: RegistryEntry, **options: Any) -> tuple[Path, ...]:
        (tmp_path / "weights").write_bytes(b"weights")
        return (tmp_path / "weights",)

    module = ModuleType("facekit.conversion.build")
    module.build_files = build_files  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "facekit.conversion.build", module)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(fetch, "fetch", sources)
    return built


class TestList:
    def test_it_shows_what_one_chooses_by(self, home: Path) -> None:
        add("facenet512-casia", "float32", "int8")
        add("toy", "float32")
        lines = run("list").stdout.splitlines()
        assert lines[0].split() == ["MODEL", "FOR", "LICENSE", "MB", "MS", "TAR", "STORED"]
        assert lines[1].startswith("facenet512-casia  embedding  MIT ")
        assert lines[1].endswith(" float32, int8")
        assert lines[2].split()[:4] == ["antispoof", "attacks", "MIT", "28.6+"]
        assert lines[3].split()[:4] == ["facenet512", "embedding", "MIT", "95.0+"]
        assert [line.split()[0] for line in lines[4:7]] == ["mtcnn", "sface", "yunet"]
        assert lines[5].split()[3] == "10.3+"
        assert lines[7].split()[:5] == ["toy", "embedding", "MIT", "0.0", "-"]
        assert lines[8] == "default: facenet512-casia, set by facekit"

    def test_it_fits_80_columns(self, home: Path) -> None:
        add("facenet512-casia", "float32", "float16", "int8", "uint8", "onnx-fp32", "onnx-int8wo")
        lines = run("list").stdout.partition("default:")[0].splitlines()
        assert max(map(len, lines)) <= 80
        assert "".join("".join(line.split()) for line in lines[1:5]).endswith(
            "float16,float32,int8,onnx-fp32,onnx-int8wo,uint8"
        )

    def test_as_json(self, home: Path) -> None:
        payload = run_json("list")
        assert payload["store"] == str(home)
        assert payload["default_model"] == {"model": "facenet512-casia", "origin": "facekit"}
        first = payload["models"][0]
        assert (first["name"], first["default"], first["license"]) == (
            *("facenet512-casia", True, "MIT; trained on CASIA-WebFace"),
        )
        assert (first["stored_variants"], first["size_bytes"]) == ([], None)
        assert first["download_bytes"] == registry.entry("facenet512-casia").downloads[0].size_bytes

    def test_a_rate_is_the_one_of_the_shipped_calibration(self, home: Path) -> None:
        shipped = shipped_calibration("sface", "float32")
        assert shipped is not None
        point = next(
            point for point in shipped.calibration.operating_points if point.target == "fmr=1e-4"
        )
        (sface,) = (one for one in run_json("list")["models"] if one["name"] == "sface")
        assert point.fnmr is not None
        assert sface["match_rate"]["tar"] == 1 - point.fnmr
        assert sface["match_rate"]["origin"] == f"{point.protocol}, {point.dataset}"

    def test_another_default_is_said_and_who_asks_for_it(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FACEKIT_MODEL", "sface:int8")
        text = run("list").stdout
        assert "\ndefault: sface:int8, set by FACEKIT_MODEL\n" in text

    @pytest.mark.model
    def test_what_was_measured_is_remembered_for_this_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FACEKIT_HOME", str(home_of_its_own(tmp_path / "home")))
        first = run_json("list", "--measure")["models"][0]["embedding_time"]
        assert first["measured_here"]
        assert 0.5 < first["median_ms"] < 5_000
        assert run_json("list")["models"][0]["embedding_time"] == first
        (tmp_path / "home" / "speed.json").write_text("[]")
        assert run_json("list")["models"][0]["embedding_time"] != first


def test_info_of_a_model_that_is_not_stored(home: Path) -> None:
    text = run("info", "facenet512").stdout
    assert "0.7000" in text
    assert "3f76b5117a9ca574" in text
    assert "no; facekit models build facenet512" in text


def test_info_of_a_stored_model_and_of_a_file(home: Path, tmp_path: Path) -> None:
    add("mtcnn", *NETS)
    payload = run_json("info", "mtcnn")
    assert payload["registry"]["downloads"][0]["requirement"] == "mtcnn==1.0.0"
    assert sorted(file["card"]["variant"] for file in payload["files"]) == sorted(NETS)
    assert run("info", "mtcnn").stdout.count("sha256") == 2 + len(NETS)

    payload = run_json("info", write_model(tmp_path / "files"))
    assert payload["registry"] is None
    assert payload["files"][0]["card"]["name"] == "toy"


def test_path_prints_every_net(home: Path) -> None:
    add("mtcnn", *NETS)
    folder = home / "models" / "mtcnn"
    paths = [f"{folder}/mtcnn_{net}.tflite" for net in NETS]
    assert run("path", "mtcnn").stdout.splitlines() == paths
    assert [file["path"] for file in run_json("path", "mtcnn:rnet")["files"]] == paths[1:2]


def test_a_model_that_is_missing_exits_5(home: Path) -> None:
    result = run("path", "facenet512-casia")
    assert (result.exit_code, result.stdout) == (5, "")
    assert "facekit models build facenet512-casia" in result.stderr


def test_verify_reports_every_file(home: Path) -> None:
    add("mtcnn", *NETS)
    add("toy", "float32")
    assert run("verify").exit_code == 0
    damaged = home / "models" / "toy" / "toy_float32.tflite"
    damaged.write_bytes(b"damaged bytes")
    result = run("verify")
    assert result.exit_code == 5
    assert f"DAMAGED  -            {damaged}" in result.stdout
    assert result.stdout.count("ok  ") == 3
    assert "toy_float32.tflite is not the one that its card describes" in result.stderr
    assert run("verify", "mtcnn").exit_code == 0


def test_verify_sees_through_what_was_remembered(home: Path) -> None:
    """The bytes alone decide: a state file that vouches for a damaged file is not asked."""
    add("toy", "float32")
    path = store.variant_path("toy", "float32")
    content = path.read_bytes()
    path.write_bytes(b"x" * len(content))
    status = path.stat()
    identity = [status.st_dev, status.st_ino, status.st_size]
    identity += [status.st_mtime_ns, status.st_ctime_ns]
    state = {str(path.resolve()): [*identity, read_card(path.with_suffix(".json")).file_sha256]}
    (home / "verified.json").write_text(json.dumps(state))
    assert run("path", "toy").exit_code == 0
    assert run("verify", "toy").exit_code == 5


def test_verify_misses_a_net(home: Path) -> None:
    add("mtcnn", "pnet", "onet")
    result = CliRunner().invoke(cli, ["models", "verify", "--json"])
    assert result.exit_code == 5
    problems = [file["error"] for file in json.loads(result.stdout)["files"]]
    assert [bool(problem) for problem in problems] == [False, True, False]


def test_remove_takes_away_a_model_or_its_sources(home: Path) -> None:
    add("toy", "float32")
    source = store.sources_folder("toy") / "toy.h5"
    source.parent.mkdir(parents=True)
    source.touch()
    assert run("remove", "toy").stdout == f"{store.variant_path('toy', 'float32')}\n"
    assert source.exists()
    assert run("remove", "--sources", "toy").stdout == f"{source}\n"
    assert run("remove", "toy").exit_code == 5


def test_export_and_import(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_network(home / "models" / "toy")
    archive = tmp_path / "toy.tar"
    assert run("export", "toy", "-o", archive).stdout == f"{archive}\n"
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "fresh"))
    path = str(tmp_path / "fresh" / "models" / "toy" / "toy_float32.tflite")
    assert [file["path"] for file in run_json("import", archive)["files"]] == [path]
    assert run("import", tmp_path / "nothing.tar").exit_code == 5


def test_fetch_prints_where_the_weights_are(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEKIT_OFFLINE", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    result = run("fetch", "mtcnn")
    assert result.exit_code == 5
    assert "--offline forbids" in result.stderr
    assert run("fetch", "unknown").exit_code == 5


def test_build_says_what_it_does_on_stderr(home: Path, builds: list[str]) -> None:
    result = run("build", "mtcnn")
    assert result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) == len(NETS)
    assert "Converting" in result.stderr
    assert builds == ["mtcnn"]


def test_build_without_the_extra_says_what_to_install(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_tensorflow(monkeypatch)
    result = run("build", "facenet512")
    assert result.exit_code == MissingExtraError.exit_code == 5
    assert "python -m pip install 'facekit-cli[convert]'" in result.stderr
    assert not home.exists()


def test_ensure_installed_builds_once_and_says_so(
    home: Path, builds: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    reporter = TerminalReporter()
    assert ensure_installed("mtcnn", reporter=reporter).card.variant == "pnet"
    assert ensure_installed("mtcnn:onet").card.variant == "onet"
    assert builds == ["mtcnn"]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("facekit: model mtcnn is not installed yet: building it once\n")


@pytest.mark.parametrize("name", ["nothing", "facenet512-casia:int8", "gone.tflite"])
def test_ensure_installed_builds_only_what_a_build_makes(
    home: Path, builds: list[str], name: str
) -> None:
    with pytest.raises(ModelMissingError):
        ensure_installed(name)
    assert builds == []


def test_ensure_installed_without_the_extra(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_tensorflow(monkeypatch)
    with pytest.raises(ModelMissingError, match=r"facekit models import facenet512\.tar"):
        ensure_installed("facenet512")
