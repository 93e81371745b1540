"""A delegate and the LiteRT package that it is built for: taken together, or refused.

The delegates are compiled here.  Those for tflite_runtime run in it where pip can fetch its wheel
(marker install); that they are refused without it needs nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facekit.enums import Device, LiteRtPackage
from facekit.errors import AcceleratorError
from facekit.runtime.delegates import AcceleratorRequest, OpenedNet, device_use, open_net
from facekit.runtime.packages import RUNTIME_VARIABLE, choose_delegate, package_for
from tests.c_delegate import compile_delegate, needs_compiler, needs_litert

ROOT = Path(__file__).resolve().parents[2]
LITERT, TFLITE = LiteRtPackage.AI_EDGE_LITERT, LiteRtPackage.TFLITE_RUNTIME
FOR_LITERT, FOR_TFLITE = "liblitert_vx_delegate.so", "libvx_delegate.so"

PROBE = """
import sys
from pathlib import Path
import numpy as np
from facekit.errors import AcceleratorError
from facekit.runtime.delegates import AcceleratorRequest, open_net

model, library = map(Path, sys.argv[1:])
request = AcceleratorRequest(delegate=library)
try:
    opened = open_net(model, request=request)
except AcceleratorError as error:
    print(f"exit code {error.exit_code}: {error}")
else:
    beside = open_net(model, request=request, on_cpu=True)
    crops = np.zeros((1, 16, 16, 3), np.float32)
    assert set(opened.net.run(crops)[0].ravel().tolist()) == {42.0}
    assert 42.0 not in beside.net.run(crops)[0]
    packages = ("ai_edge_litert", "tflite_runtime", "tensorflow")
    print(*(name for name in packages if f"{name}.interpreter" in sys.modules))
"""


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both VX delegates, Mesa's, and one of the user's."""
    folder = tmp_path_factory.mktemp("delegates")
    for name in (FOR_LITERT, FOR_TFLITE, "libteflon.so", "libmy_own.so"):
        compile_delegate(folder / name)
    return folder


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that a delegate makes when it is loaded."""
    path = tmp_path / "loaded"
    monkeypatch.setenv("TEST_DELEGATE_LOADED", str(path))
    return path


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home for the graphs, and an environment that is as before afterwards."""
    for name in ("VIV_VX_ENABLE_CACHE_GRAPH_BINARY", "VIV_VX_CACHE_BINARY_GRAPH_DIR"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))


@pytest.fixture
def without_tflite_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", None)


def opened(data: Path, **request: Path | Device) -> OpenedNet:
    return open_net(
        data / "tiny" / "float32.tflite",
        request=AcceleratorRequest(**request),  # type: ignore[arg-type]  # as the tests pass them
    )


@needs_compiler
@needs_litert
class TestHere:
    """Where ai_edge_litert is installed, and tflite_runtime is not."""

    pytestmark = pytest.mark.usefixtures("without_tflite_runtime")

    @pytest.mark.parametrize("name", [FOR_LITERT, "libteflon.so", "libmy_own.so"])
    def test_what_goes_with_litert_runs_in_it(
        self, data: Path, libraries: Path, mark: Path, name: str
    ) -> None:
        found = opened(data, delegate=libraries / name)
        assert found.package is LITERT
        assert mark.exists()
        np.testing.assert_array_equal(found.net.run(np.zeros((1, 16, 16, 3), np.float32))[0], 42)

    def test_a_delegate_that_takes_nothing_says_what_it_takes(
        self, data: Path, libraries: Path
    ) -> None:
        request = AcceleratorRequest(
            delegate=libraries / "libteflon.so", options=(("take", "none"),)
        )
        with pytest.raises(AcceleratorError, match=r"took no operator.*int8 or uint8, not Vela's"):
            open_net(data / "tiny" / "float32.tflite", request=request)
        with pytest.raises(AcceleratorError, match=r"with Mesa's delegate, use the model it was"):
            open_net(data / "nets" / "int8_vela.tflite", request=request)

    def test_a_delegate_for_the_other_runtime_is_refused_before_it_is_loaded(
        self, data: Path, libraries: Path, mark: Path
    ) -> None:
        message = (
            f"{FOR_TFLITE} has not been loaded: it is built for tflite_runtime, which cannot be "
            rf"imported .* pass {FOR_LITERT}, which is built for ai_edge_litert"
        )
        with pytest.raises(AcceleratorError, match=message) as caught:
            opened(data, delegate=libraries / FOR_TFLITE)
        assert caught.value.exit_code == 6
        assert not mark.exists()

    def test_the_variable_cannot_force_a_mixed_pair(
        self, data: Path, libraries: Path, mark: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        message = "built for ai_edge_litert, and FACEKIT_RUNTIME asks for tflite_runtime"
        monkeypatch.setenv(RUNTIME_VARIABLE, "tflite_runtime")
        with pytest.raises(AcceleratorError, match=message) as caught:
            opened(data, delegate=libraries / FOR_LITERT)
        assert caught.value.exit_code == 6
        assert not mark.exists()

    def test_a_refused_delegate_is_a_reason_to_use_the_cpu_if_that_is_allowed(
        self, data: Path, libraries: Path, mark: Path
    ) -> None:
        found = open_net(
            data / "tiny" / "float32.tflite",
            request=AcceleratorRequest(delegate=libraries / FOR_TFLITE, allow_cpu_fallback=True),
        )
        assert found.delegate is None
        assert "built for tflite_runtime" in found.fallback_reason
        assert not mark.exists()

    def test_the_runtime_is_said_and_that_a_delegate_is_not_known(
        self, data: Path, libraries: Path
    ) -> None:
        model = data / "tiny" / "float32.tflite"
        told = {}
        for name in (FOR_LITERT, "libmy_own.so"):
            request = AcceleratorRequest(delegate=libraries / name)
            told[name] = str(device_use(model, request, open_net(model, request=request)))
        assert told[FOR_LITERT].endswith(f"{FOR_LITERT} (runtime: ai_edge_litert)")
        assert "the default one: facekit does not know this delegate" in told["libmy_own.so"]

    def test_a_device_takes_the_delegate_whose_runtime_is_installed(
        self, libraries: Path, mark: Path
    ) -> None:
        found = choose_delegate(Device.IMX8MP_NPU, folders=(libraries,))
        assert found == (libraries / FOR_LITERT, LITERT)
        assert not mark.exists()

    def test_a_device_whose_delegates_do_not_fit_says_why_for_each(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
        for name in ("libneutron_delegate.so", "liblitert_neutron_delegate.so"):
            (tmp_path / name).touch()
        with pytest.raises(
            AcceleratorError,
            match=r"/libneutron_\S+ has not been loaded: it is built for tflite_runtime.*"
            r"/liblitert_neutron_\S+ has not been loaded: it is built for ai_edge_litert",
        ):
            choose_delegate(Device.IMX943_NPU, folders=(tmp_path,))


class TestBothRuntimes:
    """Where both can be imported: empty modules stand for them, since nothing is loaded."""

    @pytest.fixture(autouse=True)
    def _both(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for package in (LITERT, TFLITE):
            monkeypatch.setitem(sys.modules, f"{package.value}.interpreter", sys)

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for name in (FOR_LITERT, FOR_TFLITE, "libteflon.so", "libethosu_delegate.so"):
            (tmp_path / name).touch()
        return tmp_path

    def test_each_delegate_gets_its_own(self, folder: Path) -> None:
        assert package_for(folder / FOR_LITERT) is LITERT
        assert package_for(folder / FOR_TFLITE) is TFLITE
        assert package_for(folder / "libteflon.so") is LITERT  # the default package

    def test_of_a_devices_delegates_tensorflow_lites_is_taken_first(self, folder: Path) -> None:
        found = choose_delegate(Device.IMX8MP_NPU, folders=(folder,))
        assert found == (folder / FOR_TFLITE, TFLITE)

    def test_the_variable_chooses_among_them(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(RUNTIME_VARIABLE, "ai_edge_litert")
        found = choose_delegate(Device.IMX8MP_NPU, folders=(folder,))
        assert found == (folder / FOR_LITERT, LITERT)
        found = choose_delegate(Device.IMX93_NPU, folders=(folder,))
        assert found == (folder / "libteflon.so", LITERT)

    def test_mesas_delegate_goes_with_the_forced_runtime(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(RUNTIME_VARIABLE, "tflite_runtime")
        assert package_for(folder / "libteflon.so") is TFLITE

    def test_a_device_without_any_delegate_names_files_and_folders(self, folder: Path) -> None:
        with pytest.raises(
            AcceleratorError,
            match=r"No delegate for imx95-npu: libneutron_delegate\.so or "
            rf"liblitert_neutron_delegate\.so is in none of {folder}, /nowhere\.",
        ):
            choose_delegate(Device.IMX95_NPU, folders=(folder, Path("/nowhere")))


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tflite_runtime and the NumPy that it was built for."""
    folder = tmp_path_factory.mktemp("packages")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
    wheels = ["tflite-runtime==2.14.0", "numpy==1.26.4"]
    subprocess.run([*pip, str(folder), *wheels], check=True)
    return folder


@needs_compiler
@pytest.mark.install
@pytest.mark.skipif(
    sys.version_info[:2] != (3, 11) or not sys.platform.startswith("linux"),
    reason="tflite-runtime 2.14 is tried as its wheel for Python 3.11 on Linux",
)
class TestTfliteRuntime:
    """The real tflite_runtime, alone and beside ai_edge_litert."""

    def probe(self, python: str, packages: Path, data: Path, library: Path) -> str:
        """What is loaded, or the refusal, in a process with `packages` before all others."""
        done = subprocess.run(
            [python, "-c", PROBE, str(data / "tiny" / "float32.tflite"), str(library)],
            env={**os.environ, "PYTHONPATH": f"{packages}{os.pathsep}{ROOT}"},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def test_alone_it_takes_its_own_delegate_and_refuses_litert_s(
        self, packages: Path, data: Path, libraries: Path, mark: Path
    ) -> None:
        python = str(getattr(sys, "_base_executable", sys.executable))  # without our packages
        for name in (FOR_TFLITE, "libteflon.so", "libmy_own.so"):
            assert self.probe(python, packages, data, libraries / name) == "tflite_runtime"
        mark.unlink()
        refusal = self.probe(python, packages, data, libraries / FOR_LITERT)
        assert refusal.startswith("exit code 6: Delegate ")
        assert "it is built for ai_edge_litert, which cannot be imported" in refusal
        assert not mark.exists()

    def test_beside_litert_a_process_has_the_delegates_runtime_alone(
        self, packages: Path, data: Path, libraries: Path
    ) -> None:
        """For the network on the CPU beside it, too."""
        loaded = {
            name: self.probe(sys.executable, packages, data, libraries / name)
            for name in (FOR_TFLITE, FOR_LITERT, "libteflon.so")
        }
        assert loaded == {
            FOR_TFLITE: "tflite_runtime",
            FOR_LITERT: "ai_edge_litert",
            "libteflon.so": "ai_edge_litert",
        }
