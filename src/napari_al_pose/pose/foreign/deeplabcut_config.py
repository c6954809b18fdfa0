"""The parts of a DeepLabCut 3 ``pytorch_config.yaml`` that prediction needs.

The keys are those that DeepLabCut 3.0 writes. Nothing that the file can say is assumed: release candidates trained with
other targets and gave another meaning to a missing ``apply_sigmoid``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from napari_al_pose.domain import AlPoseError

CONFIG_NAME = "pytorch_config.yaml"

_UNSUPPORTED = (
    "Only single-animal networks with scoremaps (resnet_50, resnet_101, hrnet_*) can be used here. "
    "Let DeepLabCut predict the videos and add its predictions file instead."
)
_MAX_CHANNELS = 8192
_MAX_BYTES = 2**20


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())


class Deconvolution(_Part):
    """Transposed convolutions with ReLU between them, optionally followed by a convolution."""

    channels: tuple[int, ...] = Field(min_length=1, max_length=8)
    kernel_size: tuple[int, ...] = Field(max_length=8)
    strides: tuple[int, ...] = Field(max_length=8)
    final_conv: dict[str, int] | None = None

    @property
    def stride(self) -> int:
        """How many times finer its maps are than the backbone's."""
        product = 1
        for stride in self.strides:
            product *= stride
        return product


class Decoding(_Part):
    """How to read poses off the maps."""

    apply_sigmoid: bool = True
    clip_scores: bool = False
    location_refinement: bool = True
    locref_std: float = 7.2801


class Head(_Part):
    """The head that predicts the bodyparts."""

    type: Literal["HeatmapHead"]
    heatmap_config: Deconvolution
    locref_config: Deconvolution | None = None
    predictor: Decoding


class Backbone(_Part):
    """The network below the head."""

    type: Literal["ResNet", "HRNet"]
    model_name: str = Field(pattern=r"^(resnet(50|101)(_gn)?|hrnet_w(18|32|48))$")
    output_stride: Literal[8, 16, 32] = 32
    increased_channel_count: bool = False
    interpolate_branches: bool = False

    @property
    def stride(self) -> int:
        """Input pixels per cell of its map."""
        return 4 if self.type == "HRNet" else self.output_stride


class Snapshot(_Part):
    """Everything needed to rebuild the network and read poses off it."""

    net_type: str = ""
    bodyparts: tuple[str, ...] = Field(min_length=1, max_length=500)
    backbone: Backbone
    head: Head
    normalize: bool = False
    unit_range: bool = False
    pad_to: tuple[int, int] = (1, 1)

    @property
    def stride(self) -> float:
        """Source pixels per cell of the scoremaps."""
        return self.backbone.stride / self.head.heatmap_config.stride


def read_config(path: Path) -> Snapshot:
    """Read a ``pytorch_config.yaml``.

    Raises
    ------
    AlPoseError
        If it can't be read, or describes a network that can't be used here.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise AlPoseError(
                f"Expected DeepLabCut's configuration in {path}, got a far larger file.",
                "Copy pytorch_config.yaml of the training into the snapshot's folder again.",
            )
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise AlPoseError(
            f"There is no {path}.", f"Keep the snapshot in the folder where DeepLabCut wrote it, beside {CONFIG_NAME}."
        ) from error
    except (OSError, UnicodeDecodeError, YAMLError, ValueError) as error:
        raise AlPoseError(f"{path} can't be read: {error}", "Choose a snapshot of DeepLabCut 3.") from error
    return parse_config(content, path)


def parse_config(content: Any, path: Path) -> Snapshot:
    """Check what the configuration says.

    Raises
    ------
    AlPoseError
        If it describes a network that can't be used here.
    """
    try:
        model, metadata = content["model"], content["metadata"]
        method, heads = content.get("method"), model["heads"]
        inference = content["data"].get("inference") or {}
        padding = inference.get("auto_padding") or {}
        if method != "bu" or list(heads) != ["bodypart"] or metadata.get("unique_bodyparts"):
            raise AlPoseError(
                f"{path} describes a network of kind {content.get('net_type') or method!r}.", _UNSUPPORTED
            )
        if len(metadata.get("individuals") or [""]) > 1:
            raise AlPoseError(f"{path} describes a network for several animals.", _UNSUPPORTED)
        found = Snapshot.model_validate(
            {
                "net_type": str(content.get("net_type") or ""),
                "bodyparts": metadata["bodyparts"],
                "backbone": model["backbone"],
                "head": heads["bodypart"],
                "normalize": bool(inference.get("normalize_images")),
                "unit_range": bool(inference.get("scale_to_unit_range")),
                "pad_to": [padding.get(f"pad_{side}_divisor") or 1 for side in ("height", "width")],
            }
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise AlPoseError(f"{path} lacks {error}.", "Choose a snapshot of DeepLabCut 3.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise AlPoseError(
            f"{path} describes an unknown kind of network: {where}: {first['msg']}.", _UNSUPPORTED
        ) from error
    _check_head(found, path)
    return found


def _check_head(found: Snapshot, path: Path) -> None:
    parts, head = len(found.bodyparts), found.head
    configs = [(head.heatmap_config, parts)] + ([(head.locref_config, 2 * parts)] if head.locref_config else [])
    for config, outputs in configs:
        last = (config.final_conv or {}).get("out_channels", config.channels[-1])
        numbers = (*config.channels, *config.kernel_size, *config.strides, *(config.final_conv or {}).values())
        if (
            last != outputs
            or not len(config.channels) == len(config.kernel_size) + 1 == len(config.strides) + 1
            or not all(1 <= n <= _MAX_CHANNELS for n in numbers)
            or config.stride != head.heatmap_config.stride
            or not all(1 <= n <= 256 for n in found.pad_to)
        ):
            raise AlPoseError(f"{path} describes a head that does not fit {parts} bodyparts.", _UNSUPPORTED)
    if head.predictor.location_refinement and head.locref_config is None:
        raise AlPoseError(f"{path} asks for location refinement but has no maps for it.", _UNSUPPORTED)
