"""Say in one sentence what Python is needed; run with whatever `python3` is at hand."""

import sys

if not (3, 11) <= sys.version_info[:2] <= (3, 13):
    version = ".".join(map(str, sys.version_info[:2]))
    sys.exit(
        "Lucency needs Python 3.11, 3.12 or 3.13; this is Python " + version + ". Run `make PYTHON=python3.11 run`."
    )
