"""What the CNN says about one hip in one radiograph. No Qt.

Before a library below is imported, it is kept from calling home, and given the program's own cache folder.
"""

import os
from pathlib import Path

import platformdirs

CACHE_FOLDER = Path(platformdirs.user_cache_dir("Lucency", appauthor=False))

# ONNX Runtime 1.29 and later write a device id and look up a host of Microsoft's unless this is set before the import.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"  # timm's downloader, used by `--weights imagenet` in training only
os.environ.setdefault("MPLCONFIGDIR", str(CACHE_FOLDER / "matplotlib"))  # grad-cam draws with it
os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(CACHE_FOLDER / "torchinductor"))
