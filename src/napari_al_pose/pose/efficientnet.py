"""EfficientNet-Lite0 from torch building blocks, so that its published weights load without a model library.

Architecture and block table: TensorFlow's reference implementation,
https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
(EfficientNet, Tan & Le 2019, arXiv:1905.11946, without squeeze-excitation, ReLU6 for swish).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BATCH_NORM_EPS = 1e-3

MEAN, STD = 127.0, 128.0
"""The weights expect ``(value - MEAN) / STD`` of pixel values 0 to 255."""

# (expansion, kernel, stride, channels, repeats) of each stage.
_STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
_STEM_CHANNELS = 32
_HEAD_CHANNELS = 1280
_N_CLASSES = 1000

# The last stage before each halving of the resolution, the finest kept one first.
_PYRAMID_STAGES = (1, 2, 4, 6)


class SamePadConv2d(nn.Conv2d):
    """Convolution with TensorFlow's ``SAME`` padding: the odd pixel goes to the right and to the bottom.

    PyTorch's symmetric padding would sample a strided layer one pixel further left, and the weights were not trained
    for that.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__(in_channels, out_channels, kernel, stride=stride, groups=groups, bias=False)
        # With stride 1 the total is even, and the convolution pads by itself without a copy.
        if stride == 1:
            self.padding = (kernel // 2, kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of ``x``, (N, C, H, W), of size ceil(H / stride) by ceil(W / stride)."""
        return self.with_weights(x, self.weight, self.bias)

    def with_weights(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return the convolution with these weights instead of the layer's own."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        if stride == 1:
            return F.conv2d(x, weight, bias, 1, self.padding, groups=self.groups)
        learns = torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad)
        if self.groups > 1 and not learns and x.shape[-2] % 2 == 0 and x.shape[-1] % 2 == 0:
            # Padding the kernel gives the same sums and avoids a padded copy of the input, which costs more than the
            # convolution: a row and a column of zeros before the kernel make the padding symmetric.
            return F.conv2d(x, F.pad(weight, (1, 0, 1, 0)), bias, stride, (kernel - 1) // 2, groups=self.groups)
        pad_y, pad_x = (max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in x.shape[-2:])
        x = F.pad(x, (pad_x // 2, pad_x - pad_x // 2, pad_y // 2, pad_y - pad_y // 2))
        return F.conv2d(x, weight, bias, stride, groups=self.groups)


class _Layers(nn.Sequential):
    """A sequence of layers in which a BatchNorm with fixed statistics is applied to the weights before it.

    The function and its gradients are the same as on the maps, without two passes over them.
    """

    def forward(self, x: Tensor) -> Tensor:
        layers = list(self)
        while layers:
            layer = layers.pop(0)
            norm = layers[0] if layers else None
            if isinstance(layer, SamePadConv2d) and isinstance(norm, nn.BatchNorm2d) and not norm.training:
                layers.pop(0)
                mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
                factor = norm.weight * torch.rsqrt(variance + norm.eps)
                x = layer.with_weights(x, layer.weight * factor[:, None, None, None], norm.bias - mean * factor)
            else:
                x = layer(x)
        return x


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=BATCH_NORM_EPS)


class _InvertedResidual(nn.Module):
    """Expand, filter each channel, project; added to the input where the shapes allow."""

    def __init__(self, in_channels: int, out_channels: int, *, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        layers: list[nn.Module] = []
        if expansion > 1:
            layers += [SamePadConv2d(in_channels, hidden, 1), _norm(hidden), nn.ReLU6(inplace=True)]
        layers += [
            SamePadConv2d(hidden, hidden, kernel, stride=stride, groups=hidden),
            _norm(hidden),
            nn.ReLU6(inplace=True),
            SamePadConv2d(hidden, out_channels, 1),
            _norm(out_channels),
        ]
        self.layers = _Layers(*layers)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        y = self.layers(x)
        return y + x if self.residual else y


class EfficientNetPyramid(nn.Module):
    """Stem and stages: the part that pose heads are attached to.

    `forward` takes (N, 3, H, W), RGB as ``(value - MEAN) / STD``, and returns the maps at strides 4, 8, 16 and 32
    with `channels` channels.
    """

    channels = tuple(_STAGES[i][3] for i in _PYRAMID_STAGES)

    def __init__(self) -> None:
        super().__init__()
        self.stem = _Layers(SamePadConv2d(3, _STEM_CHANNELS, 3, stride=2), _norm(_STEM_CHANNELS), nn.ReLU6())
        stages: list[nn.Module] = []
        in_channels = _STEM_CHANNELS
        for expansion, kernel, stride, channels, repeats in _STAGES:
            blocks: list[nn.Module] = []
            for i in range(repeats):
                step = stride if i == 0 else 1
                blocks.append(_InvertedResidual(in_channels, channels, expansion=expansion, kernel=kernel, stride=step))
                in_channels = channels
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.Sequential(*stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the maps, finest first."""
        x = self.stem(x)
        maps = []
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i in _PYRAMID_STAGES:
                maps.append(x)
        return maps

    def early_layers(self) -> list[nn.Module]:
        """Return the frozen layers: those up to stride 4, and all later depthwise filters.

        Edges, textures and neighbourhoods are the same for mice and for ImageNet, and the gradients of 5 x 5 depthwise
        filters took a third of a training step.
        """
        filters: list[nn.Module] = []
        for layers in self.stages[2:].modules():
            if isinstance(layers, _Layers):
                for conv, norm in pairwise(layers):
                    if isinstance(conv, SamePadConv2d) and conv.groups > 1:
                        filters += [conv, norm]
        return [self.stem, *self.stages[:2], *filters]


class EfficientNetLite0(nn.Module):
    """The whole classifier. Modules are declared in the order of the published weights."""

    def __init__(self) -> None:
        super().__init__()
        self.pyramid = EfficientNetPyramid()
        self.head = nn.Sequential(
            SamePadConv2d(EfficientNetPyramid.channels[-1], _HEAD_CHANNELS, 1), _norm(_HEAD_CHANNELS), nn.ReLU6()
        )
        self.classifier = nn.Linear(_HEAD_CHANNELS, _N_CLASSES)

    def embed(self, x: Tensor) -> Tensor:
        """Return the (N, 1280) global averages that the classifier sees."""
        return self.head(self.pyramid(x)[-1]).mean(dim=(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, 1000) ImageNet logits."""
        return self.classifier(self.embed(x))
