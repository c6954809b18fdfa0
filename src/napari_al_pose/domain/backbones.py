"""The names of the pretrained networks, for the settings; `napari_al_pose.pose.backbones` builds them."""

from __future__ import annotations

DEFAULT_BACKBONE = "efficientnet_lite0"

BACKBONE_WORDS: dict[str, str] = {
    DEFAULT_BACKBONE: "EfficientNet-Lite0: fast on a laptop, weights come with the installation",
    "mobilenet_v3_large": "MobileNetV3-Large (torchvision): about as fast; weights are downloaded once",
    "resnet18": "ResNet-18 (torchvision): weights are downloaded once",
    "resnet50": "ResNet-50 (torchvision): slow without a GPU; weights are downloaded once",
    "timm_resnet18": "ResNet-18 (timm), trained longer on ImageNet; weights are downloaded once",
    "timm_resnet50": "ResNet-50 (timm), trained longer on ImageNet; slow without a GPU; weights are downloaded once",
    "hrnet_w18": "HRNet-W18 (timm): keeps fine detail; slow without a GPU; weights are downloaded once",
    "hrnet_w32": "HRNet-W32 (timm): keeps fine detail; wants a GPU; weights are downloaded once",
    "dinov2_vits14": "DINOv2 ViT-S/14 (timm), trained without labels; needs a GPU; weights are downloaded once",
    "hourglass": "Stacked Hourglass, two stacks: no pretrained weights; needs hundreds of labels and a GPU",
}
"""One sentence for each backbone, the default first."""
