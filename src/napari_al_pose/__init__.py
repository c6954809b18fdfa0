"""Human-in-the-loop active learning of animal pose in napari."""
