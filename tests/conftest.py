"""Fixtures for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A shared machine is slow now and then; that is no property of the code.
# CI judges a commit: it draws the same examples each time, and the runs of everybody else go on searching.
settings.register_profile("lucency", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("lucency")

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

ROOT = Path(__file__).resolve().parents[1]


def _reference_folder(variable: str, default: str) -> Path:
    folder = Path(os.environ.get(variable, ROOT.parent / "shared" / default))
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent; set {variable} to the folder to run this test")
    return folder


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Real and malformed images; never committed."""
    return _reference_folder("LUCENCY_CORPUS", "corpus")


@pytest.fixture(scope="session")
def real_films() -> Path:
    """Real hips with and without replacement; never committed."""
    return _reference_folder("LUCENCY_REAL", "real")


@pytest.fixture(scope="session")
def stats_cases() -> Path:
    """Data sets with expected numbers; never committed."""
    return _reference_folder("LUCENCY_STATS_CASES", "stats-cases")


@pytest.fixture(scope="session")
def cases() -> Path:
    """Inputs made after public bug reports; their README says what is right for each. Never committed."""
    return _reference_folder("LUCENCY_CASES", "cases")
