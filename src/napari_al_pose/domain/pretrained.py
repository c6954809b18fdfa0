"""Networks that others trained and published: what they know, and where they are to be had.

Names of files and bodyparts, sizes and checksums are those of the publishers' pages. A checksum is only given where the
publisher's page was read; a size where it tells the bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

_HUB = "https://huggingface.co"

_TOP_VIEW_MOUSE = """
nose left_ear right_ear left_ear_tip right_ear_tip left_eye right_eye neck mid_back mouse_center mid_backend
mid_backend2 mid_backend3 tail_base tail1 tail2 tail3 tail4 tail5 left_shoulder left_midside left_hip right_shoulder
right_midside right_hip tail_end head_midpoint
"""
_QUADRUPED = """
nose upper_jaw lower_jaw mouth_end_right mouth_end_left right_eye right_earbase right_earend right_antler_base
right_antler_end left_eye left_earbase left_earend left_antler_base left_antler_end neck_base neck_end throat_base
throat_end back_base back_end back_middle tail_base tail_end front_left_thai front_left_knee front_left_paw
front_right_thai front_right_knee front_right_paw back_left_paw back_left_thai back_right_thai back_left_knee
back_right_knee back_right_paw belly_bottom body_middle_right body_middle_left
"""
_BIRD = """
back bill belly breast crown forehead left_eye left_leg left_wing_tip left_wrist nape right_eye right_leg
right_wing_tip right_wrist tail_tip throat neck tail_left tail_right upper_spine upper_half_spine lower_half_spine
right_foot left_foot left_half_chest right_half_chest chin left_tibia right_tibia lower_spine upper_half_neck
lower_half_neck left_chest right_chest upper_neck left_wing_shoulder left_wing_elbow right_wing_shoulder
right_wing_elbow upper_cere lower_cere
"""


@dataclass(frozen=True, slots=True)
class AnimalKeypoints:
    """The bodyparts that the networks of one SuperAnimal data set predict, in their order.

    Parameters
    ----------
    name : str
        DeepLabCut's name of the data set.
    title : str
        For the window.
    bodyparts : tuple of str
    """

    name: str
    title: str
    bodyparts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PretrainedModel:
    """A file of weights on the publisher's page.

    Parameters
    ----------
    animal : AnimalKeypoints
    network : str
        DeepLabCut's name of the network.
    page : str
        The page with the model card, which holds the licence.
    revision : str
        The page's state that has this file; a file of a revision does not change.
    megabytes : int
        About how large it is.
    n_bytes : int, optional
        Exactly how large it is.
    sha256 : str
        Of the file; empty if not known.
    """

    animal: AnimalKeypoints
    network: str
    page: str
    revision: str
    megabytes: int
    n_bytes: int | None
    sha256: str

    @property
    def file_name(self) -> str:
        """The publisher's name of the file."""
        return f"{self.animal.name}_{self.network}.pt"

    @property
    def url(self) -> str:
        """Where the file is."""
        return f"{self.page}/resolve/{self.revision}/{self.file_name}"

    @property
    def title(self) -> str:
        """The model in a few words."""
        return f"{self.animal.title}, {self.network} ({len(self.animal.bodyparts)} bodyparts, {self.megabytes} MB)"


TOP_VIEW_MOUSE = AnimalKeypoints("superanimal_topviewmouse", "Mouse from above", tuple(_TOP_VIEW_MOUSE.split()))
QUADRUPED = AnimalKeypoints("superanimal_quadruped", "Four-legged animal from the side", tuple(_QUADRUPED.split()))
BIRD = AnimalKeypoints("superanimal_bird", "Bird", tuple(_BIRD.split()))
SUPERANIMALS = (TOP_VIEW_MOUSE, QUADRUPED, BIRD)
"""The data sets, told apart by how many bodyparts they have."""

_MOUSE_PAGE = f"{_HUB}/mwmathis/DeepLabCutModelZoo-SuperAnimal-TopViewMouse"
_MOUSE_REVISION = "e28263ade72568461855f3ad84c1d6edca36dabc"
_QUADRUPED_PAGE = f"{_HUB}/mwmathis/DeepLabCutModelZoo-SuperAnimal-Quadruped"
_QUADRUPED_REVISION = "3471302d658ce76c5c35a483fa179ddcad6d5d04"

PRETRAINED = (
    PretrainedModel(
        TOP_VIEW_MOUSE,
        "hrnet_w32",
        _MOUSE_PAGE,
        _MOUSE_REVISION,
        118,
        118_098_822,
        "5e7ed2b4e568fa93e2b1404251f9b060f9bd3ff5d68712f57c8ddb766d0cf6ed",
    ),
    PretrainedModel(
        TOP_VIEW_MOUSE,
        "resnet_50",
        _MOUSE_PAGE,
        _MOUSE_REVISION,
        100,
        None,
        "516820b3bb3255511925fff35232b9ff1de02d8e29bf65ea6fa317a431d1cf12",
    ),
    PretrainedModel(
        QUADRUPED,
        "hrnet_w32",
        _QUADRUPED_PAGE,
        _QUADRUPED_REVISION,
        118,
        None,
        "a42e58d56bb32f8b4f4fe17ea9ed9511cebc7b7949ac56b97fa6f3a49587c31e",
    ),
    PretrainedModel(
        QUADRUPED,
        "resnet_50",
        _QUADRUPED_PAGE,
        _QUADRUPED_REVISION,
        103,
        102_726_228,
        "ffb3386f84996ad2fc8e642239e70e9a1e558c49cc3e7e14c19ed4024d549a3d",
    ),
    PretrainedModel(
        BIRD,
        "resnet_50",
        f"{_HUB}/DeepLabCut/DeepLabCutModelZoo-SuperAnimal-Bird",
        "04caf827dde559778d347a46d0e237719eb26fa3",
        103,
        103_388_474,
        "5638eefbe88222430d13b48a189655a3d6bb0d7f891099de9a60c4310f77d613",
    ),
)
"""Those that can be downloaded: nothing is whose checksum is not known."""
