"""A project folder: a DeepLabCut project with one extra folder, ``al-pose/``."""

from __future__ import annotations

from dataclasses import replace

from napari_al_pose.domain import AlPoseError, Skeleton
from napari_al_pose.domain.skeleton_edit import SkeletonEdit, edited_skeleton, inverse_edit
from napari_al_pose.formats.deeplabcut import read_config
from napari_al_pose.project.labelled import LabelledProject
from napari_al_pose.project.skeleton_change import drop_predictions, is_due, write_config, write_files


class Project(LabelledProject):
    """An open project. `open_project` makes it; close it, or use it as a context manager.

    One process at a time has it open for writing (labels, settings, ``config.yaml``). The engine writes models,
    predictions, rounds and the queue on behalf of the process that holds the lock, and does not need it.

    Attributes
    ----------
    root, config_path : Path
        The folder and its ``config.yaml``.
    config : DeepLabCutConfig
    skeleton : Skeleton
    labels : LabelStore
    models : ModelStore
    predictions : PoolPredictions
    unseen : PoolPredictions
        Predictions for labelled frames by models that had not learnt from them.
    checks : CheckStore
    video_predictions : VideoPredictions
    rounds : RoundStore
    queue : QueueStore
    writer : Writer
        Writes the label files; this process, unless another one is set.
    lock_holder : str
        Who else has it open for writing; "" if nobody.
    """

    def edit_skeleton(self, edit: SkeletonEdit) -> SkeletonEdit:
        """Rename, add, reorder or remove bodyparts, and change the lines between them.

        Labels stay: labels of a renamed bodypart get its new name, and labels of a removed one are hidden until one of
        that name is added again. The labels, ``config.yaml`` and the columns of CollectedData change together; if the
        program is interrupted, opening the project completes the change. Guesses of older models are dropped. This is
        slow: it reads and writes all label files.

        Parameters
        ----------
        edit : SkeletonEdit
            All bodyparts and lines as they should be.

        Returns
        -------
        SkeletonEdit
            The edit that undoes this one.

        Raises
        ------
        AlPoseError
            If the project is read-only, the edit is impossible, or a file can't be read or written; nothing was changed
            then.
        """
        self._refuse_if_read_only()
        with self._exporting:
            self._finish_skeleton_change()
            edit = self._with_others_edits(edit)
            before = self.skeleton
            after = edited_skeleton(before, edit, archived=self.labels.unknown_bodyparts())
            if after != before or any(old != new for old, new in edit.renamed):
                self.merge_labels()
                self._export(self._videos_with_labels(), {})
                self._begin_skeleton_change(before, edit)
                try:
                    self._finish_skeleton_change()
                    self._export(self._videos_with_labels(), {})
                except AlPoseError as error:
                    self.notice(f"{error} The bodyparts are changed; the files of labels follow when they can.")
        return inverse_edit(before, edit)

    def _with_others_edits(self, edit: SkeletonEdit) -> SkeletonEdit:
        """Merge what another program wrote into ``config.yaml`` meanwhile, and return the combined edit.

        Raises
        ------
        AlPoseError
            If a bodypart was removed there: it may have been renamed, and its new name is unknown.
        """
        config = read_config(self.config_path)
        gone = [name for name in self.skeleton.bodyparts if name not in config.bodyparts]
        if gone:
            raise AlPoseError(
                f"{self.config_path} was changed by another program: it no longer lists {', '.join(map(repr, gone))}. "
                "The bodyparts were not changed here.",
                "Open the project again to see them as they are there, then change them.",
            )
        added = [name for name in config.bodyparts if name not in self.skeleton.bodyparts]
        links = [link for link in config.skeleton if link not in self.config.skeleton and set(link) & set(added)]
        individuals = config.individuals or self.individuals
        if added or individuals != self.individuals:
            self.config = config
            known = tuple(link for link in (*self.skeleton.links, *links) if set(link) <= set(config.bodyparts))
            self._take_skeleton(
                replace(
                    self.skeleton,
                    bodyparts=config.bodyparts,
                    links=tuple(dict.fromkeys(known)),
                    individuals=individuals,
                )
            )
        if added:
            self.notice(
                f"{self.config_path} lists {', '.join(map(repr, added))} since another program changed it; kept, and "
                "shown here too."
            )
        renamed = dict(edit.renamed)
        others = tuple(name for name in added if name not in edit.bodyparts)
        kept = tuple((renamed.get(a, a), renamed.get(b, b)) for a, b in links)
        return replace(edit, bodyparts=(*edit.bodyparts, *others), links=tuple(dict.fromkeys((*edit.links, *kept))))

    def take_up_skeleton_change(self) -> None:
        """Complete an interrupted change of the bodyparts; do nothing if there is none.

        Raises
        ------
        AlPoseError
            If a file can't be read or written.
        """
        change = self.labels.skeletons.unfinished()
        if change is None:
            return
        if not is_due(change, self.config):
            if not self.read_only:
                self.labels.skeletons.finish(change)  # somebody wrote other bodyparts into config.yaml since
            return
        if not self.read_only:
            write_config(self.config_path, change)
            self.config = read_config(self.config_path)
        self._take_skeleton(replace(self.skeleton, bodyparts=change.edit.bodyparts, links=change.edit.links))
        if not self.read_only:
            self._finish_skeleton_change()

    def _begin_skeleton_change(self, before: Skeleton, edit: SkeletonEdit) -> None:
        skeletons = self.labels.skeletons
        files = {name: self._collected_data(name).h5_state() for name in self._labelled_folders()}
        with self.labels.exchange.exclusive():
            change = skeletons.begin(before, edit, files)
            try:
                write_config(self.config_path, change)
            except AlPoseError:
                skeletons.abandon(change)
                raise
            self.config = read_config(self.config_path)
            self._take_skeleton(replace(before, bodyparts=edit.bodyparts, links=edit.links))

    def _finish_skeleton_change(self) -> None:
        change = self.labels.skeletons.unfinished()
        if change is not None:
            write_files(change, map(self._collected_data, self._labelled_folders()), self.labels)
            drop_predictions(change, (self.predictions, self.unseen), self.queue)
            self.labels.skeletons.finish(change)

    def _before_export(self) -> None:
        self._finish_skeleton_change()
