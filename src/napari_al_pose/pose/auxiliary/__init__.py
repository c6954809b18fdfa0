"""What acquisition strategies need from torch: activations of the network, passes with dropout or on rotated frames,
auxiliary networks trained beside the model, gradient lengths, and descriptors of other networks.

Nothing here changes the pose network, and everything is returned as NumPy arrays.
"""

from napari_al_pose.pose.auxiliary.activations import ActivationProbe, Activations
from napari_al_pose.pose.auxiliary.descriptors import Descriptor, descriptor_for
from napari_al_pose.pose.auxiliary.gradients import full_gradient_lengths, last_layer_gradient_lengths
from napari_al_pose.pose.auxiliary.heads import STEPS, AuxiliaryHead, HeadKind, Lesson, make_lesson, train_head
from napari_al_pose.pose.auxiliary.perturbed import DROPOUT_PASSES, dropout_poses, turned_poses

__all__ = [
    "DROPOUT_PASSES",
    "STEPS",
    "ActivationProbe",
    "Activations",
    "AuxiliaryHead",
    "Descriptor",
    "HeadKind",
    "Lesson",
    "descriptor_for",
    "dropout_poses",
    "full_gradient_lengths",
    "last_layer_gradient_lengths",
    "make_lesson",
    "train_head",
    "turned_poses",
]
