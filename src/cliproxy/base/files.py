"""Writing files so that nothing is ever lost."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from pathlib import Path


def read_file(path: Path, most: int) -> bytes:
    """Return what a file holds. Raises `OSError`, also for what is no file or larger than `most`.

    A pipe or a device in a folder that is looked through must not stop who looks.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except ValueError as err:
        raise OSError(errno.EINVAL, "it has a name that no file can have") from err
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no file")
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most} bytes")
    return data


def private_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing, for their owner alone."""
    if not path.parent.exists():
        private_folder(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)


def atomic_write(path: Path, data: bytes, mode: int = 0o600, *, follow: bool = True) -> None:
    """Replace a file by a complete new one, or leave the old one: never something in between.

    The new content is on the disk before the name points to it, also after a power cut. Of a
    symbolic link the file it leads to is replaced; without `follow` the link itself is.
    """
    path = path.resolve() if follow else path.parent.resolve() / path.name
    private_folder(path.parent)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
