"""The scripts that a board runs: sound POSIX sh, and what they do with each answer."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from facekit.board.make import make_bundle
from facekit.runtime.devices import DELEGATES, LIBRARY_FOLDERS
from tests.bench.logs import NEW_NPU, OLD_CPU

ROOT = Path(__file__).resolve().parents[2]
BOARD = sorted((ROOT / "scripts" / "imx").glob("*.sh"))
HOST = sorted(path for path in (ROOT / "scripts").glob("*.sh") if path.name != "lib.sh")
FACEKIT = Path(sys.executable).with_name("facekit")

# Answers as facekit verify would, by the second photo's name.
STUB = """#!/bin/sh
echo "$*" >> "$0.calls"
for last; do :; done
case $last in
*same*) exit 0 ;;
*other*) exit 1 ;;
*) echo "no face" >&2; exit 3 ;;
esac
"""


def run(
    script: str, *arguments: str | Path, **settings: str | Path
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(ROOT / "scripts" / "imx" / script), *map(str, arguments)],
        env={**os.environ, **{name: str(value) for name, value in settings.items()}},
        capture_output=True,
        text=True,
        check=False,
    )


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def stub(tmp_path: Path) -> Path:
    return executable(tmp_path / "facekit", STUB)


@pytest.mark.parametrize("script", BOARD + HOST, ids=lambda path: path.name)
def test_shellcheck_finds_nothing(script: Path) -> None:
    beside_python = shutil.which("shellcheck", path=str(Path(sys.executable).parent))
    shellcheck = beside_python or shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("no shellcheck: pip install '.[dev]'")
    shell = "sh" if script in BOARD else "bash"
    done = subprocess.run(
        [shellcheck, "--external-sources", f"--shell={shell}", str(script)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_there_are_scripts_for_the_board() -> None:
    assert {path.name for path in BOARD} == {
        "run.sh",
        "verify.sh",
        "watch.sh",
        "benchmark.sh",
        "selftest.sh",
    }


class TestRun:
    def test_commands_that_take_a_bundle_get_it(self, stub: Path, tmp_path: Path) -> None:
        run("verify.sh", "a.jpg", "same.jpg", FACEKIT=stub, FACEKIT_BUNDLE=tmp_path)
        run("run.sh", "doctor", FACEKIT=stub, FACEKIT_BUNDLE=tmp_path)
        run("run.sh", "models", "list", FACEKIT=stub, FACEKIT_BUNDLE=tmp_path)
        calls = Path(f"{stub}.calls").read_text().splitlines()
        assert calls == [
            f"verify --bundle {tmp_path} a.jpg same.jpg",
            f"doctor --bundle {tmp_path}",
            "models list",
        ]

    def test_the_exit_code_is_facekits(self, stub: Path) -> None:
        codes = [
            run("verify.sh", "a.jpg", b, FACEKIT=stub).returncode
            for b in ("same.jpg", "other.jpg", "tree.jpg")
        ]
        assert codes == [0, 1, 3]
        assert run("verify.sh", "a.jpg", FACEKIT=stub).returncode == 2

    def test_without_a_wheel_it_says_so(self, tmp_path: Path) -> None:
        done = run("run.sh", "doctor", FACEKIT_BUNDLE=tmp_path)
        assert done.returncode == 5
        assert "no wheel of facekit in" in done.stderr


class TestWatch:
    def test_it_is_a_call_of_facekit_watch(self, stub: Path, tmp_path: Path) -> None:
        at = {"FACEKIT": stub, "FACEKIT_BUNDLE": tmp_path}
        run("watch.sh", "in coming", "known.jpg", "--fmr", "1e-4", **at)
        run("watch.sh", "-1", "-in", "known.jpg", **at)
        assert Path(f"{stub}.calls").read_text().splitlines() == [
            f"watch --bundle {tmp_path} --known known.jpg --fmr 1e-4 -- in coming",
            f"watch --bundle {tmp_path} --known known.jpg --once -- -in",
        ]
        assert run("watch.sh", "-1", "folder", **at).returncode == 2

    @pytest.mark.model
    def test_an_unpacked_bundle_answers_by_its_own_models(self, tmp_path: Path, data: Path) -> None:
        wheel = tmp_path / "facekit_cli-9.9-py3-none-any.whl"
        wheel.touch()
        make_bundle("facenet512-casia", "cpu", tmp_path / "bundle.tar", wheel=wheel)
        with tarfile.open(tmp_path / "bundle.tar") as tar:
            tar.extractall(tmp_path, filter="data")
        ours = f'#!/bin/sh\nexec {sys.executable} -m facekit "$@"\n'
        folder = tmp_path / "in coming"
        folder.mkdir()
        shutil.copy(data / "obama2.jpg", folder)
        shutil.copy(data / "biden.jpg", folder)
        done = subprocess.run(
            [tmp_path / "facekit-cpu" / "watch.sh", "-1", folder, data / "obama.jpg"],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT),
                "FACEKIT": str(executable(tmp_path / "facekit", ours)),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (1, "")
        assert done.stdout == "different\tbiden.jpg\nsame\tobama2.jpg\n"


class TestUnit:
    @pytest.fixture(params=["watch", "serve"])
    def unit(self, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
        """A unit, with a program that is there; systemd looks for it."""
        if shutil.which("systemd-analyze") is None:
            pytest.skip("no systemd-analyze: apt-get install systemd")
        program = executable(tmp_path / "run.sh", "#!/bin/sh\n")
        units = sorted((ROOT / "scripts/imx").glob(f"facekit-{request.param}.*"))
        for unit in units:
            text = unit.read_text()
            assert "/opt/facekit/run.sh" in text or unit.suffix == ".socket"
            (tmp_path / unit.name).write_text(text.replace("/opt/facekit/run.sh", str(program)))
        return tmp_path / units[0].name

    def analyze(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["systemd-analyze", *arguments], capture_output=True, text=True, check=False
        )

    def test_systemd_knows_every_line(self, unit: Path) -> None:
        done = self.analyze("verify", unit)
        assert (done.returncode, done.stderr) == (0, "")
        unit.write_text(unit.read_text().replace("ProtectClock", "ProtectClocks"))
        assert "ProtectClocks" in self.analyze("verify", unit).stderr, "it would have been seen"

    def test_it_is_not_exposed_much(self, unit: Path) -> None:
        """Below 3 of 10 by systemd's own measure; a unit without these lines has 9.6."""
        check = ("security", "--offline=yes", "--no-pager", "--threshold=30", unit)
        done = self.analyze(*check)
        if "unrecognized option" in done.stderr:  # before systemd 250
            pytest.skip(done.stderr.strip())
        assert done.returncode == 0, done.stdout
        lines = unit.read_text().splitlines()
        bare = [line for line in lines if not line.startswith(("Protect", "Private", "Capability"))]
        unit.write_text("\n".join(bare))
        assert self.analyze(*check).returncode != 0


@pytest.mark.skipif(not FACEKIT.exists(), reason="facekit is not installed as a command")
class TestBenchmark:
    """With a benchmark_model that prints a board's log."""

    @pytest.fixture
    def board(self, tmp_path: Path) -> Path:
        root = tmp_path / "root"
        for version in ("2.10.0", "2.16.2"):
            folder = root / f"usr/bin/tensorflow-lite-{version}/examples"
            executable(
                folder / "benchmark_model",
                f'#!/bin/sh\necho "{version} $* $VIV_VX_ENABLE_CACHE_GRAPH_BINARY '
                f'$VIV_VX_CACHE_BINARY_GRAPH_DIR" > "{tmp_path}/called"\ncat "{tmp_path}/log"\n',
            )
        (tmp_path / "log").write_text(NEW_NPU)
        for file in ("lib/libethosu_delegate.so", "models/toy/toy_uint8_vela.tflite"):
            path = root / "usr" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return root

    def measure(self, board: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run(
            "benchmark.sh",
            *arguments,
            SYSROOT=board,
            FACEKIT=FACEKIT,
            FACEKIT_BUNDLE=board / "usr",
            OUT=board.parent / "out",
            RUNS="7",
        )

    def test_the_boards_tool_model_and_delegate_are_found(self, board: Path) -> None:
        done = self.measure(board)
        assert done.returncode == 0, done.stderr
        assert "delegate" in done.stdout
        called = (board.parent / "called").read_text()
        assert called.startswith("2.16.2 ")
        assert f"--graph={board}/usr/models/toy/toy_uint8_vela.tflite --num_runs=7" in called
        assert f"--external_delegate_path={board}/usr/lib/libethosu_delegate.so" in called
        (one,) = json.loads((board.parent / "out/benchmark.json").read_text())["measurements"]
        assert one["runs"]["median_ms"] == 10.308

    def test_none_means_the_cpu(self, board: Path, tmp_path: Path) -> None:
        (tmp_path / "log").write_text(OLD_CPU)
        model = board / "usr/models/toy/toy_uint8_vela.tflite"
        assert self.measure(board, str(model), "none").returncode == 0
        assert "delegate" not in (tmp_path / "called").read_text()

    def test_what_is_missing_is_named(self, board: Path) -> None:
        (board / "usr/lib/libethosu_delegate.so").unlink()
        done = self.measure(board)
        assert (done.returncode, "no delegate in" in done.stderr) == (6, True)
        (board / "usr/models/toy/toy_uint8_vela.tflite").unlink()
        done = self.measure(board)
        assert (done.returncode, "no model in" in done.stderr) == (5, True)
        shutil.rmtree(board / "usr/bin")
        done = self.measure(board)
        assert (done.returncode, "set BENCHMARK_MODEL" in done.stderr) == (6, True)

    def test_every_known_delegate_is_looked_for_in_the_same_order(self) -> None:
        script = (ROOT / "scripts/imx/benchmark.sh").read_text()
        names = re.search(r"for name in ([^;]+); do", script)
        folders = re.search(r"for folder in ([^;]+); do", script)
        assert names
        assert folders
        assert names[1].replace("\\\n", "").split() == [row.file_name for row in DELEGATES]
        found = [f"/usr/{folder}" for folder in folders[1].split()]
        assert found == list(map(str, LIBRARY_FOLDERS))

    def test_the_delegate_is_one_that_the_tool_can_load(self, board: Path, tmp_path: Path) -> None:
        """An image has both; the tool that it brings is TensorFlow Lite's."""
        folder, called = board / "usr/lib", tmp_path / "called"
        (folder / "libethosu_delegate.so").unlink()
        (folder / "liblitert_vx_delegate.so").touch()
        done = self.measure(board)
        assert (done.returncode, "no delegate in" in done.stderr) == (6, True)
        model = str(board / "usr/models/toy/toy_uint8_vela.tflite")
        done = self.measure(board, model, str(folder / "liblitert_vx_delegate.so"))
        assert done.returncode == 6
        assert "is built for ai_edge_litert, " in done.stderr
        assert "for tflite_runtime" in done.stderr
        assert not called.exists()

        (folder / "libvx_delegate.so").touch()
        assert self.measure(board).returncode == 0
        graphs = board / "usr/vx-graphs"
        assert f"{folder}/libvx_delegate.so 1 {graphs}\n" in called.read_text()
        assert graphs.is_dir()

        shutil.copytree(board / "usr/bin/tensorflow-lite-2.16.2", board / "usr/bin/litert-2.1.0")
        shutil.rmtree(board / "usr/bin/tensorflow-lite-2.16.2")
        shutil.rmtree(board / "usr/bin/tensorflow-lite-2.10.0")
        assert self.measure(board).returncode == 0
        assert f"{folder}/liblitert_vx_delegate.so" in called.read_text()

    def test_a_tool_that_fails_is_quoted(self, board: Path, tmp_path: Path) -> None:
        tool = executable(tmp_path / "tool", "#!/bin/sh\necho 'out of memory'\nexit 9\n")
        done = run(
            "benchmark.sh",
            tool,
            "none",
            BENCHMARK_MODEL=tool,
            OUT=tmp_path / "out",
            FACEKIT=FACEKIT,
        )
        assert done.returncode == 6
        assert "out of memory" in done.stderr
        assert "exit code 9" in done.stderr
