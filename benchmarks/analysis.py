"""`python -m benchmarks.analysis`: time of a full analysis, and how it grows with the number of cases.

Wall and processor seconds, best of several runs: a busy machine stretches the first and hardly the second. Scores on the
0 to 100 scale of this program, and continuous ones as other programs write them.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np

from study.analysis import analyse
from study.protocol import AnalysisPlan, Multiplicity
from study.report import Provenance, report_of_table, to_html, to_json
from study.scores import ScoreTable

READERS, MODES = 20, 2
PLAN = AnalysisPlan(secondary=("sensitivity", "specificity"), multiplicity=Multiplicity.HOLM)


def study(cases: int, *, continuous: bool = False, seed: int = 1) -> ScoreTable:
    """20 readers x 2 modes, 40 % loose, with calls and seconds."""
    rng = np.random.default_rng(seed)
    loose = np.arange(cases) % 5 < 2
    common = rng.normal(size=cases) + 1.2 * loose
    evidence = common + rng.normal(size=(MODES, READERS, cases)) + 0.3 * np.arange(MODES)[:, None, None] * loose
    scores = evidence if continuous else np.clip(np.round(50 + 20 * (evidence - 0.6)), 0, 100)
    slots = MODES * READERS
    return ScoreTable(
        [f"reader {r + 1}" for _ in range(MODES) for r in range(READERS) for _ in range(cases)],
        [f"mode {m + 1}" for m in range(MODES) for _ in range(READERS * cases)],
        [f"case {c}" for c in range(cases)] * slots,
        np.tile(loose, slots).astype(np.int8),
        scores.ravel(),
        call=(evidence.ravel() > 0.6).astype(np.int8),
        seconds=rng.gamma(4, 10, slots * cases),
    )


def timed(table: ScoreTable, runs: int, *, report: bool = False) -> tuple[float, float]:
    """(wall, processor) seconds, the best of each."""
    wall, processor = [], []
    for _ in range(runs):
        start = time.perf_counter(), time.process_time()
        if report:
            made = report_of_table(table, Provenance("benchmark", ""), plan=PLAN)
            to_json(made)
            to_html(made)
        else:
            analyse(table)
        wall.append(time.perf_counter() - start[0])
        processor.append(time.process_time() - start[1])
    return min(wall), min(processor)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.analysis")
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    analyse(study(50))  # imports and caches
    print(f"{READERS} readers x {MODES} modes; best of {runs}; seconds: wall / processor")
    print("| scores | cases | analysis | per case, against the fewest |")
    print("|---|---|---|---|")
    figures: dict[str, float] = {}
    for continuous in (False, True):
        first = 0.0
        for cases in (250, 1000, 2000):
            wall, processor = timed(study(cases, continuous=continuous), runs)
            first = first or processor / cases
            kind = "continuous" if continuous else "0 to 100"
            figures[f"{kind}, {cases}"] = processor
            print(f"| {kind} | {cases} | {wall:.2f} / {processor:.2f} | {processor / cases / first:.2f} |", flush=True)
    wall, processor = timed(study(1000), 1, report=True)
    print(f"with the registered analysis, JSON and HTML, 1000 cases: {wall:.2f} / {processor:.2f}")
    print(json.dumps(figures | {"report, 1000": processor}))


if __name__ == "__main__":
    main()
