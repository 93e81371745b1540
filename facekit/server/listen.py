"""The socket that a service listens on: of systemd, a path, or an address."""

from __future__ import annotations

import ipaddress
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

from facekit.errors import StorageError, UsageError

_FIRST_FD = 3  # SD_LISTEN_FDS_START of sd_listen_fds(3)
_BACKLOG = 256


def inherited_socket() -> socket.socket | None:
    """Returns the listening socket that systemd passes; None if there is none.

    systemd sets LISTEN_PID and LISTEN_FDS, see sd_listen_fds(3).  Raises UsageError for several
    sockets, and for one that is no stream.
    """
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    count = os.environ.get("LISTEN_FDS", "")
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):  # not for the workers
        os.environ.pop(name, None)
    if count != "1":
        raise UsageError(f"One socket of systemd is needed. Received: {count}")
    found = socket.socket(fileno=_FIRST_FD)
    found.set_inheritable(False)
    if found.type != socket.SOCK_STREAM:
        raise UsageError("A stream socket of systemd is needed: ListenStream= in its unit.")
    return found


def tell_systemd(state: str) -> None:
    """Sends a state such as READY=1 to systemd, if it waits for one; see sd_notify(3)."""
    name = os.environ.get("NOTIFY_SOCKET", "")
    if name:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, suppress(OSError):
            sender.sendto(state.encode(), f"\0{name[1:]}" if name.startswith("@") else name)


def unix_socket(path: Path) -> socket.socket:
    """Listens at a path, which the user who runs this alone may open (mode 0600).

    A socket that nobody listens to any more is replaced.  Raises UsageError if anything else is at
    the path, and StorageError if the path cannot be made.
    """
    try:
        _clear(path)
        found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            found.bind(str(path))
        finally:
            os.umask(mask)
        found.listen(_BACKLOG)
    except OSError as error:
        raise StorageError(f"{path} cannot be listened at: {error.strerror or error}.") from error
    return found


def tcp_socket(host: str, port: int) -> socket.socket:
    """Listens at an address; port 0 means a free one.

    Raises UsageError if the address is unknown or not this machine's, StorageError if it cannot be
    had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise UsageError(f"--host: {host} is no address: {error}.") from error
    found = socket.socket(family, kind, protocol)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(_BACKLOG)
    except OSError as error:
        found.close()
        raise StorageError(
            f"{host}:{port} cannot be listened at: {error.strerror}. Is another service there?"
        ) from error
    return found


def is_local(found: socket.socket) -> bool:
    """Returns whether only this machine can reach the socket."""
    if found.family == socket.AF_UNIX:
        return True
    return ipaddress.ip_address(found.getsockname()[0]).is_loopback


def shown_address(found: socket.socket) -> str:
    """Returns how a client names the socket: http://HOST:PORT or unix:PATH."""
    name = found.getsockname()
    if found.family == socket.AF_UNIX:
        return f"unix:{name}"
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    return f"http://{host}:{name[1]}"


def _clear(path: Path) -> None:
    """Removes a socket that nobody listens to.  Raises UsageError for anything else."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise UsageError(f"--uds: {path} exists and is no socket.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(1)
        try:
            client.connect(str(path))
        except ConnectionRefusedError:
            with suppress(FileNotFoundError):
                path.unlink()
            return
    raise UsageError(f"--uds: another service listens at {path}.")
