"""Figures that say how fast and how good the project is, each against a goal and against its peers.

``python -m benchmarks [NAME ...]`` runs the named modules of this package (all without a name) and prints one
JSON line per figure. A new benchmark is a new module here with a function::

    def figures(data: Path | None) -> Iterator[Figure]:

that yields figures (`benchmarks.report.Figure`) as they are measured. ``data`` is the folder of real data (``--data``,
or the environment variable NAPARI_AL_POSE_DATA); None where there is none, in which case a benchmark makes its own.
Whatever a benchmark wants to say besides figures goes to its logger.
"""
