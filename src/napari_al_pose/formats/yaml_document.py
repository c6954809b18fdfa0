"""YAML files of other programs: read in any encoding, edited without losing comments, order or quotes."""

from __future__ import annotations

import codecs
import io
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from napari_al_pose.domain import AlPoseError
from napari_al_pose.formats.atomic import replacing


def load_yaml(path: Path) -> Any:
    """Return the document at ``path``.

    Raises
    ------
    AlPoseError
        If it can't be read, or is not text or YAML; the message names the file and the line.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AlPoseError(f"{path} could not be read: {error.strerror}.", "Check that you may read it.") from error
    try:
        text = data.decode(_encoding(data))
    except UnicodeDecodeError as error:
        raise AlPoseError(f"{path} is not a text file.", "Choose a DeepLabCut config.yaml.") from error
    try:
        return parse_yaml(text)
    except (YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark is not None else ""
        raise AlPoseError(
            f"{path} is not valid YAML{where}: {getattr(error, 'problem', None) or 'it cannot be parsed'}.",
            "Correct that line in a text editor and open the project again.",
        ) from error


def parse_yaml(text: str) -> Any:
    """Return a document made from ``text``, which keeps comments, order and quotes and holds no Python objects."""
    return _yaml().load(text)


def dump_yaml(document: Any, path: Path) -> None:
    """Write a document, whole or not at all, in the file's present encoding; UTF-8 if it is new.

    DeepLabCut on Windows reads its files in the encoding of the system.
    """
    text = io.StringIO()
    _yaml().dump(document, text)
    encoding = _encoding(path.read_bytes()) if path.is_file() else "utf-8"
    try:
        data = text.getvalue().encode(encoding)
    except UnicodeEncodeError:
        data = text.getvalue().encode("utf-8")
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def _yaml() -> YAML:
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 4096  # long video paths stay on one line
    return yaml


def _encoding(data: bytes) -> str:
    """Return the encoding of a text: from its first bytes, UTF-8, or the Windows one for western Europe."""
    if data.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"
