"""A reading controller with everything round it faked, and hands for tests to drive it."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

from gui.annotations import AnnotationModel
from gui.draft import Answer
from gui.library import CaseLibrary
from gui.reading import ReadingController
from gui.tasks import Glance
from study.events import EventKind
from study.model import Call, Reader
from tests.gui.shell_fakes import FakeJobs, FakeStore, radiograph, source


def make_desk(
    store: FakeStore | None = None, *, has_engine: bool = True, reader: Sequence[str] = ("AB",)
) -> SimpleNamespace:
    jobs = FakeJobs(has_engine=has_engine)
    library = CaseLibrary(jobs)
    store = store or FakeStore()
    marks = AnnotationModel()
    controller = ReadingController(jobs, library, store, marks, reader=lambda: Reader(reader[0]), app_version="1.2.3")
    controller.open_record()
    return SimpleNamespace(jobs=jobs, library=library, store=store, marks=marks, controller=controller)


def show(desk, qtbot, name="a.png", predictions=None, image=None):
    """Open a case, let it decode and, unless `predictions` is None, let the CNN answer."""
    qtbot.waitUntil(lambda: desk.controller._store_is_open)
    desk.library.add([source(name)])
    opened = image or radiograph(name)
    desk.jobs.waiting("decode").finish(opened)
    if predictions is not None:
        desk.jobs.waiting("assess").finish(predictions)
    return opened


LOOSE = Answer(call=Call.LOOSE, score=80)
FIXED = Answer(call=Call.NOT_LOOSE, score=12)


def glance(name):
    image = radiograph(name)
    return Glance(image.sha256, image.pixels.astype("uint8"))


def recorded(desk, kind=EventKind.READING):
    return [payload.reading for event_kind, _, payload in desk.store.events if event_kind == kind]
