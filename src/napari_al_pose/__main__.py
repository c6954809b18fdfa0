"""Run the command line as ``python -m napari_al_pose``."""

from napari_al_pose.cli import main

main()
