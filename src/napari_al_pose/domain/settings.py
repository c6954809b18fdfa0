"""The user's settings with their defaults; stored in the project and validated on reading."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator

from napari_al_pose.domain.backbones import DEFAULT_BACKBONE

Rectangle = tuple[int, int, int, int]
"""``x1, x2, y1, y2`` in pixels of the frame, ends excluded: the order of DeepLabCut's ``crop``."""


class TrainSettings(BaseModel):
    """How one round trains the built-in network."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    backbone: str = Field(default=DEFAULT_BACKBONE, description="Pretrained network that the model is built on")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(default="auto", description="Where the network runs")
    long_side: int = Field(
        default=0,
        ge=0,
        le=2048,
        description="Longer side of the image that the network sees, px. Automatic (0): by the size of the animals",
    )
    follow_animal: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="Find the animal in a first pass, then look at a window around it. "
        "Automatic: when labels show that bodyparts are too small in the whole frame",
    )
    animal_count: Literal["auto", "fixed", "up to"] = Field(
        default="auto",
        description="With several animals: every frame shows all that the project names ('fixed'), or some may "
        "be missing ('up to'). Automatic: by the labelled frames",
    )
    steps: int = Field(
        default=0, ge=0, le=100_000, description="Training steps in a round. Automatic (0): by the number of labels"
    )
    batch_size: int = Field(default=8, ge=1, le=256)
    rotation_degrees: float = Field(
        default=-1.0,
        ge=-1,
        le=180,
        description="Largest random rotation in training; small for side views. Automatic (-1): small if two bodyparts "
        "always lie in the same direction from each other, otherwise all the way round",
    )
    swap_pairs: str = Field(
        default="auto",
        description="Bodyparts that a mirror swaps, as 'left ear=right ear, ...'. Frames are mirrored only with "
        "pairs. Automatic ('auto'): pairs by name, mirrored if the largest rotation is below 90°. Empty: never mirror",
    )
    unlabelled: Literal["off", "on"] = Field(
        default="off",
        description="Learn from candidate frames without labels as well, where the network is sure of what it sees. "
        "A round takes a third longer, and lower errors were not shown yet. From 10 labels on, with one animal",
    )
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _read_earlier_name(cls, values: Any) -> Any:
        """Accept settings and models from before 0.2.0, which call the backbone ``trunk``."""
        if isinstance(values, dict) and "trunk" in values:
            return {"backbone": values["trunk"]} | values
        return values


class LoopSettings(BaseModel):
    """How the loop chooses frames and when it trains."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    strategy: str = Field(default="hybrid", description="Strategy that chooses the frames of the queue")
    batch_size: int = Field(default=20, ge=1, le=1000, description="Frames in the queue")
    train_after: int = Field(
        default=10,
        ge=0,
        validation_alias=AliasChoices("train_after", "learn_after"),  # older projects say the latter
        description="Complete new frames after which training starts by itself. Never (0): only by hand",
    )
    ask: Literal["frames", "bodyparts"] = Field(
        default="frames",
        description="What the queue asks for: whole frames, or in most frames only the bodyparts that the model "
        "doubts. A frame with these labelled is done; every fifth frame and test frames are asked for as a whole",
    )
    holdout_share: float = Field(
        default=0.2, ge=0, le=0.5, description="Share of the queue that is drawn at random as test frames"
    )
    pool_size: int = Field(
        default=600, ge=10, le=20_000, description="Frames that suggestions are chosen from, over all videos"
    )
    regions: dict[str, Rectangle] = Field(
        default={},
        description="For each video the rectangle that is used: x1, x2, y1, y2 in pixels. A video without one uses "
        "config.yaml's crop. Zeros: the whole frame",
    )
    train: TrainSettings = TrainSettings()
