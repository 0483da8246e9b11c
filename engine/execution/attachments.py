"""Files and folders outside of its workspace that a run names: checked before it is queued."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

from engine.domain.errors import UserError, user_error
from engine.domain.model import RunSpec
from engine.domain.text import printable_name
from engine.system.files import read_named, real_path

SCHEMA_BYTES, IMAGE_BYTES = 256 * 1024, 32 * 1024**2


def checked(spec: RunSpec) -> RunSpec:
    """Return `spec` with its schema read and its paths resolved; raises `UserError`.

    It looks at the disk: call it in a thread.
    """
    schema = spec.output_schema if spec.schema_file is None else _schema(spec.schema_file)
    return replace(
        spec,
        output_schema=schema,
        schema_file=None,
        images=tuple(map(_image, spec.images)),
        add_dirs=tuple(map(_folder, spec.add_dirs)),
    )


def _schema(name: str) -> str:
    content = _read(name, SCHEMA_BYTES, SCHEMA_BYTES)
    try:
        text = content.decode()
        is_schema = isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        is_schema, text = False, ""
    if not is_schema:
        raise _invalid(name, "is not a JSON schema: an object is needed")
    return text


def _image(name: str) -> str:
    _read(name, 1, IMAGE_BYTES)
    return str(real_path(name))


def _folder(name: str) -> str:
    if "\0" in name or not Path(name).is_dir():
        raise _invalid(name, "is not a folder")
    return str(real_path(name))


def _read(name: str, most_bytes: int, limit_bytes: int) -> bytes:
    """Return the beginning of a file; raises `UserError`, also where it is larger than allowed."""
    try:
        content = read_named(name, most_bytes)
        size = Path(name).stat().st_size
    except FileNotFoundError:
        raise _invalid(name, "does not exist") from None
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else "it holds a NUL"
        raise _invalid(name, f"cannot be read: {what}") from error
    if size > limit_bytes:
        raise _invalid(name, f"is larger than {limit_bytes // 1024} KiB")
    return content


def _invalid(name: str, what: str) -> UserError:
    shown = printable_name(os.fspath(name))
    return user_error("INPUT_INVALID", f"{shown} {what}.", "Check the path.")
