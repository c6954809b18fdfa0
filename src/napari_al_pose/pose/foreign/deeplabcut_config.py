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
    "Single-animal and top-down networks (resnet_50, resnet_101, hrnet_*, rtmpose_*) can be used here. "
    "Let DeepLabCut predict the videos and add its predictions file instead."
)
_MAX_CHANNELS = 8192
_MAX_BYTES = 2**20
BIN_STRIDES = 8
"""RTMPose's bins are drawn as scoremaps with this many times the cells of its backbone's map each way."""


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
    """A head that predicts a scoremap for each bodypart."""

    type: Literal["HeatmapHead"]
    heatmap_config: Deconvolution
    locref_config: Deconvolution | None = None
    predictor: Decoding


class GatedAttention(_Part):
    """Attention between bodyparts, as RTMPose's head has it."""

    hidden_dims: int = Field(256, ge=1, le=4096)
    s: int = Field(128, ge=1, le=4096)
    expansion_factor: float = Field(2, gt=0, le=8)
    act_fn: Literal["SiLU", "ReLU"] = "SiLU"
    use_rel_bias: Literal[False] = False
    pos_enc: Literal[False] = False


class BinDecoding(_Part):
    """How to read poses off RTMPose's bins."""

    simcc_split_ratio: float = Field(2.0, ge=1, le=8)
    sigma: tuple[float, float] | float = 6.0
    decode_beta: float = 150.0
    apply_softmax: bool = True
    normalize_outputs: Literal[False] = False

    @property
    def sharpness(self) -> tuple[float, float]:
        """The factor of the outputs along x and y before the softmax."""
        x, y = self.sigma if isinstance(self.sigma, tuple) else (self.sigma, self.sigma)
        return x * self.decode_beta, y * self.decode_beta


class BinHead(_Part):
    """RTMPose's head: for each bodypart, one row of bins along x and one along y."""

    type: Literal["RTMCCHead"]
    input_size: tuple[int, int]
    in_channels: int = Field(ge=1, le=_MAX_CHANNELS)
    out_channels: int
    in_featuremap_size: tuple[int, int]
    simcc_split_ratio: float = Field(2.0, ge=1, le=8)
    final_layer_kernel_size: Literal[1, 3, 5, 7, 9] = 7
    gau_cfg: GatedAttention
    predictor: BinDecoding


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


class CrossStageBackbone(_Part):
    """RTMPose's backbone, CSPNeXt, of five stages."""

    type: Literal["CSPNeXt"]
    model_name: str = Field("cspnext_m", pattern=r"^[a-z0-9_]{1,40}$")
    arch: Literal["P5"] = "P5"
    expand_ratio: float = Field(0.5, gt=0, le=1)
    deepen_factor: float = Field(0.67, gt=0, le=4)
    widen_factor: float = Field(0.75, gt=0, le=4)
    channel_attention: bool = True
    activation_fn: Literal["SiLU", "ReLU"] = "SiLU"

    @property
    def stride(self) -> int:
        """Input pixels per cell of its map."""
        return 32


class Crop(_Part):
    """What a top-down network looks at: a box of the frame, made to fit ``width`` by ``height``."""

    width: int = Field(256, ge=32, le=1024)
    height: int = Field(256, ge=32, le=1024)
    margin: int = Field(0, ge=0, le=1024)
    crop_with_context: Literal[True] = True


class Snapshot(_Part):
    """Everything needed to rebuild the network and read poses off it."""

    net_type: str = ""
    bodyparts: tuple[str, ...] = Field(min_length=1, max_length=500)
    backbone: Backbone | CrossStageBackbone = Field(discriminator="type")
    head: Head | BinHead = Field(discriminator="type")
    normalize: bool = False
    unit_range: bool = False
    pad_to: tuple[int, int] = (1, 1)
    crop: Crop | None = None
    """The crop of a top-down network; others look at the whole frame."""

    @property
    def stride(self) -> float:
        """Input pixels per cell of the scoremaps."""
        return self.backbone.stride / (self.head.heatmap_config.stride if isinstance(self.head, Head) else BIN_STRIDES)


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
        if method not in ("bu", "td") or list(heads) != ["bodypart"] or metadata.get("unique_bodyparts"):
            raise AlPoseError(
                f"{path} describes a network of kind {content.get('net_type') or method!r}.", _UNSUPPORTED
            )
        if method == "bu" and len(metadata.get("individuals") or [""]) > 1:
            raise AlPoseError(f"{path} describes a network for several animals.", _UNSUPPORTED)
        found = Snapshot.model_validate(
            {
                "net_type": str(content.get("net_type") or ""),
                "bodyparts": metadata["bodyparts"],
                "backbone": model["backbone"],
                "head": heads["bodypart"],
                "normalize": bool(inference.get("normalize_images")),
                "unit_range": bool(inference.get("scale_to_unit_range")),
                "crop": (inference.get("top_down_crop") or {}) if method == "td" else None,
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
    if isinstance(head, BinHead) or isinstance(found.backbone, CrossStageBackbone):
        _check_bins(found, path)
        return
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


def _check_bins(found: Snapshot, path: Path) -> None:
    """Check that the sizes of RTMPose's parts fit each other."""
    head, crop = found.head, found.crop
    if not isinstance(head, BinHead) or not isinstance(found.backbone, CrossStageBackbone) or crop is None:
        raise AlPoseError(f"{path} describes an unknown kind of network.", _UNSUPPORTED)
    width, height = head.input_size
    fits = (
        head.out_channels == len(found.bodyparts)
        and (crop.width, crop.height) == (width, height)
        and width % 32 == height % 32 == 0
        and head.in_featuremap_size[0] * head.in_featuremap_size[1] == width * height // 32**2
        and found.pad_to in ((1, 1), (32, 32))
    )
    if not fits:
        raise AlPoseError(f"{path} describes a head that does not fit {len(found.bodyparts)} bodyparts.", _UNSUPPORTED)
