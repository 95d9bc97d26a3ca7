"""The public set's cohort file, for its audit (docs/benchmark.md). Nothing of it is copied, and nothing is trained on it.

python -m benchmarks.public_set OUT.csv [--set FOLDER] [--label fixation]
python -m training audit --cohort OUT.csv --weights squeezenet1_1.safetensors
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LABELS = {
    "folder_label": {"loose": "loose", "control": "fixed"},
    "fixation_stem": {"cementless": "loose", "cemented": "fixed"},  # to ask how well the kind of fixation can be seen
}
COLUMNS = ("path", "patient", "side", "label", "fixation", "implant", "drawn marks", "cup visible", "stem visible")


def rows(folder: Path, label: str) -> Iterator[tuple[str, ...]]:
    """One row per file that the set's makers put into a labelled folder; `patient` is the group in seen.csv."""
    with (folder / "seen.csv").open(newline="", encoding="utf-8") as stream:
        for seen in csv.DictReader(stream):
            if seen["folder_label"] and seen[label] in LABELS[label]:
                yield (
                    str((folder / seen["file"]).resolve()),
                    seen["group"],
                    "",
                    LABELS[label][seen[label]],
                    seen["fixation_stem"],
                    seen["implant"],
                    seen["drawn_on"],
                    seen["cup_visible"],
                    seen["stem_visible"],
                )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--set", type=Path, default=ROOT.parent / "shared" / "real", help="folder with seen.csv")
    parser.add_argument("--label", choices=("loosening", "fixation"), default="loosening")
    arguments = parser.parse_args()
    if not (arguments.set / "seen.csv").is_file():
        print(f"There is no seen.csv in {arguments.set}.", file=sys.stderr)
        return 1
    label = "fixation_stem" if arguments.label == "fixation" else "folder_label"
    with arguments.out.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([COLUMNS, *rows(arguments.set, label)])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
