"""The report of facekit doctor, on packages, caches, libraries and bundles made for it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from facekit.board.manifest import Bundle, model_file
from facekit.board.match import ThisBoard
from facekit.cli import cli
from facekit.enums import Device, LiteRtPackage
from facekit.errors import AcceleratorError, ModelMismatchError, PackageError
from facekit.model import store
from facekit.model.card import Task
from facekit.model.folders import BUNDLE_MANIFEST
from facekit.tasks import doctor, doctor_models
from facekit.tasks.doctor_results import Part, Report
from facekit.version import __version__
from tests.c_delegate import COMPILER, compile_delegate, needs_compiler
from tests.made_up_packages import write_metadata, write_package
from tests.model.made_up_model import write_model
from tests.schemas import require_schema

TINY = Path(__file__).parents[1] / "data" / "tiny"
REAL = ("numpy>=1.20", "opencv-python-headless>=4.1", "click>=8")


@pytest.fixture
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "cache" / "facekit"
    monkeypatch.setenv("FACEKIT_HOME", str(home))
    return home


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that Python searches first, with metadata of facekit."""
    folder = tmp_path / "site"
    write_metadata(folder, *REAL)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("FACEKIT_RUNTIME", "ai_edge_litert")  # TensorFlow would take seconds
    return folder


def part_of(report: Report, name: str) -> Part:
    (found,) = (part for part in (*report.parts, *report.runtimes) if part.name == name)
    return found


class TestPackages:
    def test_each_is_shown_with_its_version_and_the_least_one(self, site: Path) -> None:
        write_package(site, "pooch", version="v1.8.2")
        write_metadata(site, *REAL, "pooch>=1.8", python=">=3.9")
        report = doctor.examine(library_folders=())
        found = {part.name: (part.least, part.version) for part in report.parts}
        assert found["pooch"] == ("1.8", "1.8.2")
        assert found["facekit"] == ("", __version__)
        assert found["python"][0] == "3.9"
        assert list(found)[1:] == [
            *("numpy", "opencv-python-headless", "click"),
            "pooch",
            "facekit",
        ]
        assert not any(isinstance(problem, PackageError) for problem in report.problems)

    @pytest.mark.usefixtures("empty_home")
    def test_one_that_is_too_old_is_the_first_problem_and_the_only_one_of_packages(
        self, site: Path
    ) -> None:
        """facekit itself cannot be imported then, which is a consequence and not repeated."""
        write_package(site, "cv2", version="4.0.1")
        report = doctor.examine(library_folders=())
        require_schema("doctor", report.to_dict())
        part = part_of(report, "opencv-python-headless")
        assert (part.version, part.is_usable, part.is_missing) == ("4.0.1", True, False)
        assert not part_of(report, "facekit").is_usable
        (problem,) = report.problems
        assert "opencv-python-headless 4.1 or later. Received: 4.0.1" in str(problem)
        assert problem.exit_code == 5
        result = CliRunner().invoke(cli, ["doctor"])
        assert result.exit_code == 5
        assert "too old" in result.stdout
        assert "pip install 'opencv-python-headless>=4.1'" in " ".join(result.stdout.split())

    @pytest.mark.parametrize("module", ["numpy", "cv2"])
    def test_one_that_is_missing(self, module: str, site: Path) -> None:
        code = f"raise ModuleNotFoundError('No module named {module}', name='{module}')"
        write_package(site, module, version="", code=code)
        report = doctor.examine(library_folders=())
        require_schema("doctor", report.to_dict())
        assert [part.is_missing for part in report.parts if part.error][:1] == [True]
        assert "which is not installed" in str(report.problems[0])
        assert report.problems[0].exit_code == 5
        assert report.models.files == ()

    def test_one_whose_library_is_missing(self, site: Path) -> None:
        code = "raise ImportError('libGL.so.1: cannot open shared object file')"
        write_package(site, "cv2", version="4.12.0", code=code)
        report = doctor.examine(library_folders=())
        assert "cannot be imported: libGL.so.1: cannot open" in str(report.problems[0])

    def test_one_that_kills_the_process(self, site: Path) -> None:
        """As a library does that was built for a newer processor."""
        code = "import os, signal; os.kill(os.getpid(), signal.SIGILL)"
        write_package(site, "cv2", version="4.12.0", code=code)
        report = doctor.examine(library_folders=())
        require_schema("doctor", report.to_dict())
        assert "the process was ended by SIGILL" in str(report.problems[0])
        assert part_of(report, "numpy").error is None
        assert part_of(report, "click").error is None
        assert not part_of(report, "opencv-python-headless").is_usable

    def test_a_python_that_is_too_old(self, site: Path) -> None:
        write_metadata(site, *REAL, python=">=3.99")
        assert "needs Python 3.99 or later. Received: 3." in str(
            doctor.examine(library_folders=()).problems[0]
        )

    def test_what_only_builds_models_is_no_problem_where_none_is_built(
        self, site: Path, bundle: Callable[..., Path]
    ) -> None:
        write_metadata(site, *REAL, "flatbuffers>=24.3", "platformdirs>=99")
        write_package(site, "flatbuffers", version="2.0")
        report = doctor.examine(bundle=bundle(), library_folders=())
        for name in ("flatbuffers", "platformdirs"):
            assert part_of(report, name).error is not None
            assert not part_of(report, name).is_needed
        assert report.problems == ()


class TestRuntimes:
    @pytest.mark.usefixtures("empty_home")
    def test_the_one_that_is_forced_and_not_there_exits_6(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FACEKIT_RUNTIME", "tflite_runtime")
        report = doctor.examine(library_folders=())
        assert report.runtime is None
        assert report.problems[0].exit_code == 6
        assert "python -m pip install tflite-runtime" in str(report.problems[0])

    @pytest.mark.usefixtures("empty_home")
    def test_a_name_that_is_none_exits_2(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FACEKIT_RUNTIME", "caffe")
        assert doctor.examine(library_folders=()).problems[0].exit_code == 2

    @pytest.mark.usefixtures("empty_home")
    def test_one_that_is_too_old(self, site: Path) -> None:
        write_metadata(site, *REAL, "ai-edge-litert>=1.2")
        write_package(site, "ai_edge_litert", version="1.0.1")
        (site / "ai_edge_litert" / "interpreter.py").touch()
        report = doctor.examine(library_folders=())
        assert report.runtime is LiteRtPackage.AI_EDGE_LITERT
        assert "ai-edge-litert 1.2 or later. Received: 1.0.1" in str(report.problems[0])
        assert report.problems[0].exit_code == 5


class TestDelegates:
    @pytest.mark.usefixtures("empty_home")
    def test_one_whose_runtime_is_not_installed_exits_6(self, tmp_path: Path) -> None:
        (tmp_path / "libvx_delegate.so").touch()
        report = doctor.examine(library_folders=(tmp_path,))
        (problem,) = report.problems
        assert isinstance(problem, AcceleratorError)
        assert "it is built for tflite_runtime" in str(problem)

    @pytest.mark.usefixtures("empty_home")
    def test_it_is_no_problem_where_another_delegate_serves_the_accelerator(
        self, tmp_path: Path
    ) -> None:
        for name in ("libvx_delegate.so", "liblitert_vx_delegate.so", "libother.so"):
            (tmp_path / name).touch()
        report = doctor.examine(library_folders=(tmp_path / "absent", tmp_path))
        tflite, litert = report.delegates
        assert (tflite.package, litert.package) == (
            LiteRtPackage.TFLITE_RUNTIME,
            LiteRtPackage.AI_EDGE_LITERT,
        )
        assert litert.path == tmp_path / "liblitert_vx_delegate.so"
        assert "8M Plus" in litert.accelerators[0]
        assert tflite.error is not None
        assert litert.error is None
        assert report.problems == ()

    @pytest.mark.usefixtures("empty_home")
    def test_one_that_the_environment_excludes_is_a_mixed_pair(
        self, tmp_path: Path, site: Path
    ) -> None:
        (tmp_path / "libvx_delegate.so").touch()
        write_package(site, "tflite_runtime", version="2.16")
        (site / "tflite_runtime" / "interpreter.py").touch()
        (problem,) = doctor.examine(library_folders=(tmp_path,)).problems
        assert "it is built for tflite_runtime, and FACEKIT_RUNTIME asks for ai_edge" in str(
            problem
        )


class TestStore:
    def test_missing_models_are_no_problem_where_they_can_be_built(self, empty_home: Path) -> None:
        """And looking makes no folder."""
        report = doctor.examine(library_folders=())
        assert report.models.files == ()
        assert report.models.to_build == ("facenet512-casia", "mtcnn")
        assert report.problems == ()
        found = report.models.store
        assert found is not None
        assert (found.path, found.writable) == (empty_home, True)
        assert found.free_bytes > 0
        assert not empty_home.parent.exists()

    def test_a_store_below_a_file_cannot_be_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "file").touch()
        monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "file" / "facekit"))
        report = doctor.examine(library_folders=())
        assert report.models.store is not None
        assert not report.models.store.writable
        assert "Model facenet512-casia is not in" in str(report.problems[0])
        result = CliRunner().invoke(cli, ["doctor", "--json"])
        payload = json.loads(result.stdout)
        require_schema("doctor", payload)
        assert result.exit_code == 5
        assert payload["store"]["path"] == str(store.home())

    @pytest.mark.model
    def test_built_models_run(self) -> None:
        report = doctor.examine(library_folders=())
        assert {model.model for model in report.models.files} >= {
            "facenet512-casia:float32",
            *(f"mtcnn:{net}" for net in ("pnet", "rnet", "onet")),
        }
        for model in report.models.files:
            assert model.path.is_file()
            assert model.size_bytes
            assert model.time_ms is not None
            assert model.time_ms > 0
        assert report.problems == ()

    def test_a_damaged_model_is_a_problem_that_names_it(self, empty_home: Path) -> None:
        for net in ("pnet", "rnet", "onet"):
            path = empty_home / "models" / "mtcnn" / f"mtcnn_{net}.tflite"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"damaged")
        report = doctor.examine(library_folders=())
        assert [model.model for model in report.models.files] == [
            f"mtcnn:{net}" for net in ("onet", "pnet", "rnet")
        ]
        assert all(model.error and model.size_bytes is None for model in report.models.files)
        assert "mtcnn_onet" in str(report.problems[0])
        assert report.problems[0].exit_code == 5

    def test_a_file_as_its_card_says_that_is_no_network_does_not_run(
        self, empty_home: Path
    ) -> None:
        write_model(empty_home / "models" / "toy")
        report = doctor.examine(library_folders=())
        (model,) = report.models.files
        assert model.size_bytes
        assert isinstance(model.error, ModelMismatchError)
        assert report.problems == (model.error,)

    def test_a_file_for_an_npu_is_no_problem_on_another_machine(
        self, empty_home: Path, tmp_path: Path
    ) -> None:
        pytest.importorskip("ethosu", reason="no ethos-u-vela: pip install '.[convert]'")
        made = CliRunner().invoke(
            cli,
            [
                *("compile", str(TINY / "int8.tflite"), "--target", "imx93"),
                *("-o", str(tmp_path / "made")),
            ],
        )
        assert made.exit_code == 0, made.stderr
        content = (tmp_path / "made" / "int8_vela.tflite").read_bytes()
        write_model(empty_home / "models" / "toy", "toy", "int8_vela", content)
        report = doctor.examine(library_folders=())
        (model,) = report.models.files
        assert (model.error, model.time_ms) == (None, None)
        assert model.skipped == "not run: compiled for an NPU"
        assert report.problems == ()


@pytest.fixture
def bundle(tmp_path: Path) -> Callable[..., Path]:
    """Makes an unpacked bundle of networks that run in milliseconds."""

    def make(*devices: Device) -> Path:
        folder = tmp_path / "facekit-board"
        variants = dict.fromkeys(devices or (Device.CPU,), "int8")
        made = Bundle("imx8mp", "toy", variants, "faces", variants)
        content = (TINY / "int8.tflite").read_bytes()
        write_model(folder / "models" / "toy", "toy", "int8", content)
        write_model(folder / "models" / "faces", "faces", "int8", content, task=Task.DETECTION)
        (folder / BUNDLE_MANIFEST).write_text(made.to_json())
        return folder

    return make


class TestBundle:
    def test_its_models_are_run_and_no_other(self, bundle: Callable[..., Path]) -> None:
        report = doctor.examine(bundle=bundle(), library_folders=())
        require_schema("doctor", report.to_dict())
        assert report.problems == ()
        assert [model.model for model in report.models.files] == ["toy:int8", "faces:int8"]
        assert all(model.time_ms is not None for model in report.models.files)
        assert report.models.default is None
        assert report.models.store is None
        assert report.models.to_build == ()

    def test_a_model_that_was_changed_is_named_though_its_size_is_the_same(
        self, bundle: Callable[..., Path]
    ) -> None:
        folder = bundle()
        path = folder / model_file("toy", "int8")
        path.write_bytes(path.read_bytes()[:-1] + b"?")
        result = CliRunner().invoke(cli, ["doctor", "--bundle", str(folder)])
        assert result.exit_code == 5
        assert "toy_int8.tflite is not the one that its card" in " ".join(result.stdout.split())
        assert "TensorFlow" not in result.stdout.partition("problem:")[2]

    def test_a_folder_that_is_no_bundle_exits_5(self, tmp_path: Path) -> None:
        result = CliRunner().invoke(cli, ["doctor", "--bundle", str(tmp_path), "--json"])
        assert result.exit_code == 5
        assert "is no unpacked bundle" in json.loads(result.stdout)["problems"][0]["message"]

    def test_without_its_npus_delegate_it_exits_6_and_the_cpus_files_run(
        self, bundle: Callable[..., Path], tmp_path: Path
    ) -> None:
        folder = bundle(Device.IMX8MP_NPU, Device.CPU)
        report = doctor.examine(bundle=folder, library_folders=(tmp_path,))
        assert [(model.device, model.error is None) for model in report.models.files] == [
            *((Device.IMX8MP_NPU, False),) * 2,
            *((Device.CPU, True),) * 2,
        ]
        (problem,) = report.problems
        assert problem.exit_code == 6
        assert "No delegate for imx8mp-npu" in str(problem)

    def test_files_that_the_boards_driver_is_known_not_to_take_are_not_run(
        self, bundle: Callable[..., Path], tmp_path: Path
    ) -> None:
        folder = bundle(Device.IMX8MP_NPU, Device.CPU)
        found = doctor_models.examine(
            folder, folders=(tmp_path,), board=ThisBoard("6.12.20", "i.MX93")
        )
        assert [model.skipped != "" for model in found.files] == [True, True, False, False]
        (problem,) = found.problems
        assert problem.exit_code == 6
        assert "the bundle is for imx8mp, and this board is an i.MX93" in str(problem)

    @needs_compiler
    def test_its_npus_files_run_through_the_delegate(
        self, bundle: Callable[..., Path], tmp_path: Path
    ) -> None:
        compile_delegate(tmp_path / "liblitert_vx_delegate.so")
        report = doctor.examine(bundle=bundle(Device.IMX8MP_NPU), library_folders=(tmp_path,))
        assert report.problems == ()
        assert all(model.time_ms is not None for model in report.models.files)

    @needs_compiler
    def test_a_delegate_that_kills_the_process_is_a_problem(
        self, bundle: Callable[..., Path], tmp_path: Path
    ) -> None:
        library = tmp_path / "liblitert_vx_delegate.so"
        code = "#include <signal.h>\n__attribute__((constructor)) void f(void) { raise(SIGILL); }"
        subprocess.run(
            [str(COMPILER), "-shared", "-fPIC", "-x", "c", "-o", str(library), "-"],
            input=code,
            text=True,
            check=True,
        )
        report = doctor.examine(bundle=bundle(Device.IMX8MP_NPU), library_folders=(tmp_path,))
        assert [problem.exit_code for problem in report.problems] == [6, 6]
        assert "the process was ended by SIGILL" in str(report.problems[0])


def test_text_says_what_is_wrong_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FACEKIT_HOME", os.fspath(tmp_path / "file" / "home"))
    monkeypatch.setattr(doctor, "EXTRAS", {"train": ("no_such_package",), "plot": ("click",)})
    result = CliRunner().invoke(cli, ["doctor"])
    table, _, problems = result.stdout.partition("\n\n")
    lines = [" ".join(line.split()) for line in table.splitlines()]
    assert lines[0] == "PART NAME FOUND LEAST STATE"
    assert f"package facekit {__version__} - ok" in lines
    assert "extra train not installed" in lines
    assert "extra plot installed" in lines
    assert problems.startswith("problem: Model facenet512-casia is not in")
    assert "\n  facekit models build facenet512-casia\n" in problems
