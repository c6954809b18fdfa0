"""Families of strategies, as a user who chooses one would group them."""

from __future__ import annotations

import enum


class Family(enum.Enum):
    """What a strategy goes by; the order is the one in which they are offered."""

    DEFAULT = "default"
    DOUBT = "doubt"
    TYPICAL = "typical"
    DIVERSE = "diverse"
    LEARNED = "learned"
    OTHER_PROGRAMS = "other programs"
    VARIANT = "variant"
    OTHER = "other"

    @property
    def title(self) -> str:
        """The heading that the user sees."""
        return _WORDS[self][0]

    @property
    def summary(self) -> str:
        """One sentence on what its members have in common."""
        return _WORDS[self][1]


_WORDS = {
    Family.DEFAULT: ("Default", "Spreads the frames over the videos, whatever the model says"),
    Family.DOUBT: ("Doubt", "Asks for frames on which the model is unsure or predicts the impossible"),
    Family.TYPICAL: ("Typical", "Asks for frames that stand for many others"),
    Family.DIVERSE: ("Diverse", "Asks for frames that differ from each other and from the labelled ones"),
    Family.LEARNED: ("Learned", "Asks another model, trained for it, what a frame is worth"),
    Family.OTHER_PROGRAMS: ("As other programs do", "What DeepLabCut, SLEAP and Lightning Pose offer, to compare with"),
    Family.VARIANT: ("Published variants", "Other forms of the strategies above, as published, to compare with"),
    Family.OTHER: ("Other packages", "Strategies that installed packages add"),
}
