"""What lies on the canvas; the only room that knows napari's axis order."""

from napari_al_pose.gui.layers.stack import LayerStack

__all__ = ["LayerStack"]
