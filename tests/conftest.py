"""What a machine must have for some tests, and the settings that no test may inherit."""

from __future__ import annotations

import importlib.util
import inspect
import os
import signal
from functools import cache, partialmethod
from pathlib import Path

import hypothesis
import pytest
from click.testing import CliRunner, Result

from tests.chromium import CHROMIUM, HOW_TO_GET_IT

hypothesis.settings.register_profile("facekit", deadline=None)  # machines differ, and are busy
hypothesis.settings.load_profile("facekit")

if "mix_stderr" in inspect.signature(CliRunner).parameters:  # before click 8.2
    CliRunner.__init__ = partialmethod(CliRunner.__init__, mix_stderr=False)  # type: ignore  # replaced for old clicks alone
    Result.output = property(lambda result: result.stdout + result.stderr)  # type: ignore  # likewise

pytest_plugins = ("tests.networks.fixtures",)

ROOT = Path(__file__).resolve().parents[1]
LONG = {
    ROOT / "tests" / name for name in ("training", "conversion", "graph", "test_shown_commands.py")
}
"""the files that take longest, and the rooms of such files"""
SETTINGS = ("FACEKIT_MODEL", "FACEKIT_OFFLINE", "FACEKIT_RUNTIME")


def pytest_configure() -> None:
    """Ctrl-C interrupts here even where a shell has started pytest in the background.

    Such a shell lets its children ignore SIGINT, and programs that tests start inherit that.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest come first: short ones then fill what workers have left.

    Under `--dist loadfile --no-loadscope-reorder`, where a worker takes a file at a time, so that
    what its tests share is made once.
    """
    items.sort(key=lambda item: LONG.isdisjoint((item.path, *item.path.parents)))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips, with the reason, what the markers say this machine lacks."""
    if item.get_closest_marker("lfw") and _lfw_folder() is None:
        pytest.skip("no LFW photos: set FACEKIT_LFW, or put them into ../shared/lfw")
    if item.get_closest_marker("tensorflow") and importlib.util.find_spec("tensorflow") is None:
        pytest.skip("no TensorFlow: pip install '.[train]'")
    if item.get_closest_marker("browser") and CHROMIUM is None:
        pytest.skip(HOW_TO_GET_IT)
    if item.get_closest_marker("model") and (missing := _missing_model()):
        pytest.skip(f"{missing}; scripts/test.sh builds the models once")


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session", autouse=True)
def _no_configuration(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The user's own config.toml is out of reach, of programs that tests start as well."""
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("configuration"))


@pytest.fixture
def lfw() -> Path:
    """The folder of the LFW photos and protocol files; for tests with the marker lfw."""
    folder = _lfw_folder()
    assert folder is not None
    return folder


@pytest.fixture(scope="session")
def data() -> Path:
    """tests/data: obama.jpg, obama2.jpg, biden.jpg."""
    return ROOT / "tests" / "data"


_LFW = Path(os.environ.get("FACEKIT_LFW") or ROOT.parent / "shared" / "lfw")  # before tests set it


def _lfw_folder() -> Path | None:
    return _LFW if _LFW.is_dir() else None


@cache
def _missing_model() -> str:
    """Why the default model or the detector cannot be used; "" where both can."""
    from facekit.errors import ModelError
    from facekit.model.registry import DEFAULT_MODEL, DETECTOR
    from facekit.model.store import find

    try:
        for name in (DEFAULT_MODEL, f"{DETECTOR}:onet"):
            find(name)
    except ModelError as error:
        return str(error).partition(". ")[0]
    return ""
