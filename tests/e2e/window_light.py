"""Runs in a process of its own: opens a file in the window and says which heavy modules came with it."""

from __future__ import annotations

import sys
from pathlib import Path

HEAVY = (
    "torch",
    "torchvision",
    "onnxruntime",
    "pydicom",
    "imagecodecs",
    "openjpeg",
    "jpeg_ls",
    "timm",
    "cv2",
    "training",
)


def main(image: Path, data: Path) -> None:
    from PySide6.QtCore import QTimer

    from gui import theme
    from gui.preferences import Preferences
    from gui.program import Places, Program, make_application

    application = make_application(["light"])
    preferences = Preferences(data)
    theme.apply_theme(application, preferences)
    program = Program(Places(Path(__file__).resolve().parents[2]), preferences)
    program.window.show()
    program.open([image])
    # Long enough for everything that starts by itself: the record, earlier readings, thumbnails.
    program.controller.radiograph_changed.connect(lambda: QTimer.singleShot(3000, application.quit))
    QTimer.singleShot(60_000, application.quit)
    application.exec()
    opened = program.controller.radiograph is not None
    heavy = [name for name in HEAVY if name in sys.modules]
    program.close()
    print(f"{'opened' if opened else 'not opened'}; heavy modules: {', '.join(heavy) or 'none'}")
