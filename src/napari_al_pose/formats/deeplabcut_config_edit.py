"""Edits single entries of a ``config.yaml``, keeping comments, order and quotes of everything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import CommentMark
from ruamel.yaml.tokens import CommentToken

from napari_al_pose.domain import AlPoseError
from napari_al_pose.formats.deeplabcut_config import Crop, crop_text, is_multianimal, load_config
from napari_al_pose.formats.yaml_document import dump_yaml


def add_video_set(path: Path, video_path: str, crop: Crop | None) -> None:
    """Add one entry to ``video_sets`` of the ``config.yaml`` at ``path``.

    Raises
    ------
    AlPoseError
        If the file can't be read or written. This holds for all functions here.
    """
    document = load_config(path)
    if not isinstance(document.get("video_sets"), dict):
        document["video_sets"] = {}
    document["video_sets"].setdefault(video_path, {"crop": crop_text(crop)})
    dump_yaml(document, path)


def change_bodyparts(
    path: Path, bodyparts: Sequence[str], links: Sequence[tuple[str, str]], *, renamed: Mapping[str, str]
) -> None:
    """Write other bodyparts and another skeleton.

    Parameters
    ----------
    path : Path
        The ``config.yaml``.
    bodyparts : sequence of str
        By their new names.
    links : sequence of (str, str)
        By new names.
    renamed : mapping of str to str
        New names by old ones, so that a comment beside a bodypart stays with it.
    """
    document = load_config(path)
    field = "multianimalbodyparts" if is_multianimal(document) else "bodyparts"
    _replace_list(document, field, list(bodyparts), renamed=renamed)
    if _pairs(document.get("skeleton")) != [list(link) for link in links]:
        _replace_list(document, "skeleton", [CommentedSeq(link) for link in links], renamed={})
    dump_yaml(document, path)


def add_individual(path: Path, name: str) -> None:
    """Add one name to ``individuals`` of a multi-animal project."""
    document = load_config(path)
    if not is_multianimal(document):
        raise AlPoseError(
            f"{path} is a project of a single animal; it cannot have an individual {name!r}.",
            "Make a new project with several individuals, and import the labels of this one.",
        )
    _replace_list(document, "individuals", [*map(str, document["individuals"]), name], renamed={})
    dump_yaml(document, path)


def _replace_list(document: Any, field: str, items: list[Any], *, renamed: Mapping[str, str]) -> None:
    """Replace the items of a list; each keeps the comment on its line, and what follows the list is unchanged."""
    old = document.get(field)
    if not isinstance(old, CommentedSeq):
        document[field] = items
        return
    following = _take_what_follows(document, field)
    beside = {renamed.get(str(item), str(item)): old.ca.items[i] for i, item in enumerate(old) if i in old.ca.items}
    new = CommentedSeq(items)
    if old.fa.flow_style() or not items:
        new.fa.set_flow_style()
    for i, item in enumerate(items):
        if isinstance(item, str) and item in beside:
            new.ca.items[i] = beside[item]
    document[field] = new
    _put_what_follows(document, field, following)


def _take_what_follows(document: CommentedMap, field: str) -> str:
    """Detach the lines after a list from its last item, to which the YAML reader attached them."""
    comments, slot = _place_of_comment(document, field)
    token = comments[slot] if len(comments) > slot else None
    if token is None:
        return ""
    on_line, newline, following = token.value.partition("\n")
    if on_line.strip():
        comments[slot] = CommentToken(on_line + newline, token.start_mark, None)
    else:
        comments[slot] = None
    return newline + following


def _put_what_follows(document: CommentedMap, field: str, following: str) -> None:
    if not following.strip("\n") and len(following) < 2:
        return
    comments, slot = _place_of_comment(document, field)
    token = comments[slot]
    if token is None:
        comments[slot] = CommentToken(following, CommentMark(0), None)
    else:
        comments[slot] = CommentToken(token.value.rstrip("\n") + following, token.start_mark, None)


def _place_of_comment(document: CommentedMap, field: str) -> tuple[list[Any], int]:
    """Return the list and the index where the comment after an entry's last line is kept."""
    holder: Any = document
    key: Any = field
    slot = 2
    while isinstance(holder[key], CommentedSeq) and holder[key] and not holder[key].fa.flow_style():
        holder, key, slot = holder[key], len(holder[key]) - 1, 0
    comments = holder.ca.items.setdefault(key, [None] * 4)
    comments += [None] * (slot + 1 - len(comments))
    return comments, slot


def _pairs(value: Any) -> list[list[str]]:
    return [[str(name) for name in pair] if isinstance(pair, list) else [] for pair in value or []]
