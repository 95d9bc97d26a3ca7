"""The floor: a bare PySide6 + pyqtgraph window that shows an array of a radiograph's size."""

from __future__ import annotations

import sys

import numpy as np
import pyqtgraph as pg
from PySide6 import QtCore, QtWidgets

from benchmarks.measure import milestone


def main() -> int:
    app = QtWidgets.QApplication(sys.argv)
    pg.setConfigOptions(imageAxisOrder="row-major")
    pixels = np.random.default_rng(0).integers(0, 4096, (1600, 1400), dtype=np.uint16)
    view = pg.GraphicsView()
    box = pg.ViewBox(lockAspect=True, invertY=True)
    view.setCentralItem(box)
    box.addItem(pg.ImageItem(pixels))
    view.resize(1440, 900)
    view.show()

    def painted() -> None:
        milestone("painted")
        # Stay as long as a reader would need to see it, so that peak memory is of a window at rest.
        QtCore.QTimer.singleShot(500, app.quit)

    QtCore.QTimer.singleShot(0, lambda: (view.grab(), painted()))
    return app.exec()


if __name__ == "__main__":
    sys.exit(main())
