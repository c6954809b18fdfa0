"""The texts of the window, all together."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from napari_al_pose.gui.key_table import KEYS

SCRIPT = Path(__file__).parents[2] / "scripts" / "window_texts.py"
PUT_IN = {"left", "what"}
"""Names that `str.format` fills in; all others stand for the key of an action."""


@pytest.fixture(scope="module")
def window_texts():
    spec = importlib.util.spec_from_file_location("window_texts", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_list_holds_what_stands_in_the_window_and_nothing_else(window_texts):
    found = {text for module in window_texts.modules() for _line, text in window_texts.texts(module)}
    assert {"Next frame", "Not visible", "Test frame: never used for training", "Why this frame?"} <= found
    assert "{}Your {} is {} px from where the model sees it" in found, "values are left open"
    assert not [text for text in found if "Parameters\n" in text or "background-color" in text]


def test_each_thing_has_one_name(window_texts):
    """Models are trained, frames to measure on are test frames, and frames to choose from are candidate frames."""
    other = re.compile(r"\b[Ll]earnt\b|\blearn (again|once|first|more)\b|[Hh]old-out|[Hh]eld out|\bthe pool\b")
    said = [
        (module.name, line, text)
        for read, where in (
            (window_texts.texts, window_texts.modules()),
            (window_texts.messages, window_texts.other_modules()),
        )
        for module in where
        if "simulation" not in module.parts
        for line, text in read(module)
    ]
    assert len(said) > 1000
    assert not [each for each in said if other.search(each[2])]


def test_every_key_that_a_text_names_is_one_of_the_table(window_texts):
    names = {key.name for key in KEYS}
    for module in window_texts.modules():
        for line, text in window_texts.texts(module):
            named = set(re.findall(r"\{([a-z][a-z_.]*(?: [a-z_-]+)*)\}", text)) - PUT_IN
            assert named <= names, (module.name, line, named - names)


def test_no_text_names_a_key_outright(window_texts):
    """The user may have changed it: "Press L to train" would send them nowhere."""
    pressed = re.compile(r"\b[Pp]ress(?:ing)? (?:[A-Z]|Ctrl|Enter|Esc)\b|^[A-Z] goes ")
    for module in window_texts.modules():
        for line, text in window_texts.texts(module):
            assert not pressed.search(text), (module.name, line, text)
