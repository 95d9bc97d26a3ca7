"""The version of this program."""

from __future__ import annotations

import tomllib
from pathlib import Path


def app_version(root: Path) -> str:
    """From pyproject.toml, which travels with the program; `root` is its folder."""
    try:
        with (root / "pyproject.toml").open("rb") as stream:
            return str(tomllib.load(stream)["project"]["version"])
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        import importlib.metadata  # slow, and rarely needed

        return importlib.metadata.version("lucency")
