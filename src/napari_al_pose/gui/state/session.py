"""One session of labelling and training, made of parts that each hold one thing.

Panels, layers and keys take the parts they use, through their properties, methods and signals, and hold no state of
their own. Nothing here waits for a decode, the disk (beyond one small SQLite commit) or the engine: what takes time
runs elsewhere and ends in a signal. Every method may be called at any time; what is impossible ends in a notice, or
does nothing.

A part knows only those above it:

=============  ============================================================================
part           holds
=============  ============================================================================
options        how the user labels and sees it: tool, mode, colours
keys           which key does what
notices        what the user must read
frame          the current frame: source, labels, bodypart, individual; its `guesses`, with what they are made of
projects       the open project, its settings, which frames are labelled; the thread that
               reads and writes it
navigator      the queue and the open videos
editor         what was copied; undo and redo are the label store's own
order          nothing: it chooses the bodypart that comes next if only doubtful ones are asked for
poses          nothing: it gives the frame what the labelled poses look like
carrier        the thread that carries labels along in time
repair         conflicts with other programs
checks         labels worth a second look, the one looked at, and which were kept
learning       the engine, its jobs, the rounds
prompter       nothing: it puts what the next click does into words
answers        what is being looked up: it gives the frame what models say about it
maps           the maps of the candidate frames
tracks         the predictions of the current video, and what the user changed about its tracks
review         nothing: it goes to what the tracks mark, and puts it in the queue
effort         what labelling took
garbage        nothing: it destroys what nobody holds any more
=============  ============================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from qtpy.QtCore import QObject

from napari_al_pose.gui.garbage import GarbageCollection
from napari_al_pose.gui.state.bodypart_order import BodypartOrder
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.effort_meter import EffortMeter
from napari_al_pose.gui.state.engine_bridge import EngineBridge
from napari_al_pose.gui.state.key_choices import KeyChoices
from napari_al_pose.gui.state.label_checks import LabelChecks
from napari_al_pose.gui.state.label_editor import LabelEditor
from napari_al_pose.gui.state.label_guesses import Carrier, PoseKnowledge
from napari_al_pose.gui.state.label_repair import LabelRepair
from napari_al_pose.gui.state.learning import Learning
from napari_al_pose.gui.state.model_guesses import ModelGuesses
from napari_al_pose.gui.state.navigator import Navigator
from napari_al_pose.gui.state.notices import Notices
from napari_al_pose.gui.state.pool_maps import PoolMaps
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.gui.state.prompter import Prompter
from napari_al_pose.gui.state.review import Review
from napari_al_pose.gui.state.track_editor import TrackEditor
from napari_al_pose.gui.state.view_options import ViewOptions


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """The parts, see the module's docstring; ``root`` owns them, so that Qt takes them apart in order."""

    root: QObject
    notices: Notices
    options: ViewOptions
    keys: KeyChoices
    frame: CurrentFrame
    projects: ProjectSession
    navigator: Navigator
    editor: LabelEditor
    order: BodypartOrder
    poses: PoseKnowledge
    carrier: Carrier
    repair: LabelRepair
    checks: LabelChecks
    learning: Learning
    prompter: Prompter
    answers: ModelGuesses
    maps: PoolMaps
    tracks: TrackEditor
    review: Review
    effort: EffortMeter
    garbage: GarbageCollection

    def close(self) -> None:
        """Close the project, leave the viewer as it was and stop every thread."""
        self.projects.close()
        self.garbage.close()


def new_session() -> Session:
    """Return a session without a project and without a window."""
    options, keys = ViewOptions(), KeyChoices()
    notices = Notices(keys)
    frame, engine = CurrentFrame(), EngineBridge()
    projects = ProjectSession(frame, notices)
    navigator = Navigator(projects, frame, options=options, notices=notices)
    editor = LabelEditor(projects, frame, navigator=navigator, options=options, notices=notices)
    poses = PoseKnowledge(projects, frame.guesses, editor=editor)
    carrier = Carrier(projects, frame, navigator=navigator, notices=notices)
    repair = LabelRepair(projects, frame, editor=editor, notices=notices)
    checks = LabelChecks(projects, frame, navigator=navigator, editor=editor, engine=engine, notices=notices)
    learning = Learning(projects, navigator, engine=engine, notices=notices)
    prompter = Prompter(projects, frame, navigator=navigator, checks=checks, learning=learning, options=options)
    answers = ModelGuesses(projects, frame, navigator=navigator, learning=learning, engine=engine)
    maps = PoolMaps(projects, engine=engine)
    tracks = TrackEditor(projects, frame, navigator=navigator, checks=checks, learning=learning, notices=notices)
    review = Review(projects, navigator, tracks=tracks, notices=notices)
    effort = EffortMeter(projects, frame, learning=learning)
    order = BodypartOrder(frame, navigator=navigator, editor=editor)
    for signal in (editor.frameCompleted, order.answered):
        signal.connect(learning.train_when_due)
    session = Session(
        root=QObject(),
        notices=notices,
        options=options,
        keys=keys,
        frame=frame,
        projects=projects,
        navigator=navigator,
        editor=editor,
        order=order,
        poses=poses,
        carrier=carrier,
        repair=repair,
        checks=checks,
        prompter=prompter,
        learning=learning,
        answers=answers,
        maps=maps,
        tracks=tracks,
        review=review,
        effort=effort,
        garbage=GarbageCollection(),
    )
    parts = [getattr(session, field.name) for field in fields(session)[1:]]
    parts.insert(parts.index(frame) + 1, engine)
    for part in parts:
        part.setParent(session.root)
    return session
