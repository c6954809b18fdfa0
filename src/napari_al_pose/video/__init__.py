"""Videos, TIFF stacks and image folders as frame-exact, lazily decoded arrays."""

from napari_al_pose.video.damage import is_damaged, notice_of
from napari_al_pose.video.decoder import SupersededError
from napari_al_pose.video.exact_copy import write_exact_copy
from napari_al_pose.video.image_folder import ImageFolder
from napari_al_pose.video.index import PacketIndex
from napari_al_pose.video.lazy import LazyFrames, lazy_array
from napari_al_pose.video.opening import open_source
from napari_al_pose.video.packets import OpeningCancelledError
from napari_al_pose.video.pixels import is_placeholder
from napari_al_pose.video.tiff_stack import TiffStack
from napari_al_pose.video.verification import Verdict, choose_remedy, known_verdict, verify
from napari_al_pose.video.video_file import VideoFile

__all__ = [
    "ImageFolder",
    "LazyFrames",
    "OpeningCancelledError",
    "PacketIndex",
    "SupersededError",
    "TiffStack",
    "Verdict",
    "VideoFile",
    "choose_remedy",
    "is_damaged",
    "is_placeholder",
    "known_verdict",
    "lazy_array",
    "notice_of",
    "open_source",
    "verify",
    "write_exact_copy",
]
