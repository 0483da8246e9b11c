"""Sockets that the API listens on: a port of this machine, or a file that only you can use."""

from __future__ import annotations

import errno
import fcntl
import ipaddress
import os
import socket
import stat
import tempfile
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from engine.domain.errors import UserError, user_error
from engine.domain.text import printable_name

LOOPBACK = "127.0.0.1"
BACKLOG = 128
MODE = 0o600
MAX_PATH = 103
"""Bytes of a path that every system lets a client connect to."""


@dataclass
class Listener:
    """A socket that listens, and the address by which clients reach it."""

    socket: socket.socket
    address: str
    path: Path | None = None
    _identity: tuple[int, int] | None = field(default=None, repr=False)

    def close(self) -> None:
        """Close the socket, and remove its file if it is still ours."""
        self.socket.close()
        if self.path:
            with suppress(FileNotFoundError):
                if _identity(self.path) == self._identity:
                    self.path.unlink()


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def resolve(host: str) -> str:
    """Return the first address of a host; raises `UserError`."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        return str(found[0][4][0])
    except (OSError, UnicodeError):
        shown = printable_name(host)
        raise user_error("API_ADDRESS_UNAVAILABLE", f"{shown} is not an address.") from None


def on_port(host: str, port: int, *, has_tls: bool) -> Listener:
    """Listen on a port of an address; raises `UserError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        door = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise _unavailable(error, f"The port {port} of {host}") from None
    shown = f"[{host}]" if family is socket.AF_INET6 else host
    return Listener(door, f"http{'s' * has_tls}://{shown}:{door.getsockname()[1]}")


def on_socket(path: Path) -> Listener:
    """Listen on a unix socket that only this user can use; raises `UserError`.

    It is made in a private folder and moved into its place when it listens, so that it never has
    other permissions. A socket is replaced only if no process listens on it any more.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100  links stay as they are
    try:
        with ExitStack() as stack:
            folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, folder)
            _check_folder(os.fstat(folder), path.parent)
            fcntl.flock(folder, fcntl.LOCK_EX)  # two that start at once do not replace each other
            if len(os.fsencode(path)) > MAX_PATH:
                raise OSError(errno.ENAMETOOLONG, "its path is too long")
            _check_free(path)
            private = stack.enter_context(tempfile.TemporaryDirectory(prefix=".", dir=path.parent))
            made = Path(private, "s")
            door = socket.socket(socket.AF_UNIX)
            with ExitStack() as failed:
                failed.callback(door.close)
                door.bind(os.fsencode(made))
                made.chmod(MODE)
                door.listen(BACKLOG)
                made.rename(path)
                failed.pop_all()
            return Listener(door, f"unix:{path}", path, _identity(path))
    except OSError as error:
        raise _unavailable(error, f"The socket {printable_name(str(path))}") from None


def _check_folder(found: os.stat_result, folder: Path) -> None:
    """Refuse a folder in which others could put a socket of their own in the place of ours."""
    if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
        shown = printable_name(str(folder))
        raise user_error("API_ADDRESS_UNAVAILABLE", f"Everyone can write to the folder {shown}.")


def _check_free(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    shown = printable_name(str(path))
    if not stat.S_ISSOCK(mode):
        raise user_error("API_ADDRESS_UNAVAILABLE", f"{shown} exists, and is not a socket.")
    with closing(socket.socket(socket.AF_UNIX)) as probe:
        try:
            probe.connect(os.fsencode(path))
        except ConnectionRefusedError:
            return  # left behind by a process that was killed
        except OSError as error:
            raise _unavailable(error, f"The socket {shown}") from None
    raise user_error("API_ADDRESS_UNAVAILABLE", f"Another process listens on {shown}.")


def _identity(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_dev, found.st_ino


def _unavailable(error: OSError, name: str) -> UserError:
    if error.errno == errno.EADDRINUSE:
        return user_error("PORT_UNAVAILABLE", f"{name} is in use.")
    reason = error.strerror or str(error)
    return user_error("API_ADDRESS_UNAVAILABLE", f"{name} cannot be used: {reason}.")
