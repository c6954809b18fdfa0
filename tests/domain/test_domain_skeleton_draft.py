"""A skeleton that is clicked and typed: names, places and lines stay together; and the standard ones to begin with."""

from __future__ import annotations

import pytest

from napari_al_pose.domain import Skeleton
from napari_al_pose.domain.mirroring import find_pairs
from napari_al_pose.domain.skeleton_draft import SkeletonDraft
from napari_al_pose.domain.skeleton_templates import TEMPLATES
from napari_al_pose.domain.views.new_project import link_text, parse_links

CLICKED = SkeletonDraft().placed("snout", (1, 2)).placed("ear", (3, 4)).placed("tail", (5, 6)).linked("snout", "ear")


def test_a_click_adds_a_bodypart_or_moves_it():
    assert CLICKED.bodyparts == ("snout", "ear", "tail")
    moved = CLICKED.placed("ear", (9, 9))
    assert (moved.bodyparts, moved.places["ear"]) == (CLICKED.bodyparts, (9, 9))
    assert (CLICKED.next_bodypart, CLICKED.typed(["snout", "ear", "tail", "paw"]).next_bodypart) == ("", "paw")


def test_a_renamed_bodypart_keeps_its_place_and_its_lines_letter_by_letter():
    draft = CLICKED
    for name in ("ea", "e", "l", "le", "lef", "left", "left ear"):
        draft = draft.typed(["snout", name, "tail"])
    assert draft.places["left ear"] == (3, 4)
    assert draft.links == (("snout", "left ear"),)


def test_what_is_taken_out_takes_its_lines_along_and_another_order_keeps_all():
    left = CLICKED.without("ear")
    assert (left.bodyparts, left.links, set(left.places)) == (("snout", "tail"), (), {"snout", "tail"})
    turned = CLICKED.typed(["tail", "ear", "snout"])
    assert (turned.links, dict(turned.places)) == (CLICKED.links, dict(CLICKED.places))


def test_a_line_is_drawn_and_taken_away_whichever_end_comes_first():
    both = CLICKED.linked("ear", "tail")
    assert both.links == (("snout", "ear"), ("ear", "tail"))
    assert both.linked("ear", "snout").links == (("ear", "tail"),)
    assert CLICKED.linked("ear", "ear") == CLICKED


@pytest.mark.parametrize("title", TEMPLATES)
def test_a_usual_skeleton_can_be_typed_and_its_sides_are_found(title):
    skeleton = TEMPLATES[title]
    assert isinstance(skeleton, Skeleton)
    draft = SkeletonDraft.of(skeleton)
    assert parse_links(link_text(draft.links), draft.bodyparts) == skeleton.links
    named = {name for name in skeleton.bodyparts if "left" in name or "right" in name}
    assert {name for pair in find_pairs(skeleton.bodyparts) for name in pair} == named
