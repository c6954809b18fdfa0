"""Files that nobody wrote on purpose: each run makes one, and has to end in a right answer or a message that names it.

A kind of file is one module here with a function ``run(rng, folder)``. It makes a file in an empty folder, reads it,
and returns in a few words what came of it. It raises an `AssertionError` for a wrong answer. It catches
`napari_al_pose.domain.AlPoseError` itself, to see that the message names the file. Whatever else is raised is a fault.

``python -m fuzzing`` plays all kinds in turn for ten minutes, ``python -m fuzzing video --minutes 2`` some of them.
"""
