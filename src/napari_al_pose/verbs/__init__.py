"""The verbs of the command line, one module a group; `napari_al_pose.cli` lists the groups.

A group is a module with ``add(verbs)``, which adds its parsers to argparse's sub-parsers. What a verb does is imported
when it runs: ``--help`` must not wait for torch.
"""
