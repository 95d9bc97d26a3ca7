"""Tables that were published without the cross-table."""

from __future__ import annotations

import json

from study.analysis import ONE_READER, possible_pairings
from study.report.as_json import mcnemar_json, proportion_json
from study.report.words import interval, number, said_p
from study.statistics.accuracy import proportion


def published_table_json(names: tuple[str, str], loose: tuple[int, int, int], not_loose: tuple[int, int, int]) -> str:
    """The same as `published_table_report`, as JSON."""
    endpoints = []
    for label, (first, second, n) in (("sensitivity", loose), ("specificity", not_loose)):
        endpoints.append(
            {
                "endpoint": label,
                "readers": [
                    {"reader": name, **(proportion_json(proportion(k, n)) or {})}
                    for name, k in zip(names, (first, second), strict=True)
                ],
                "possible_pairings": [
                    mcnemar_json(table, clustered=False) for table in possible_pairings(first, second, n)
                ],
            }
        )
    document = {"format": "lucency-published-counts", "version": 1, "first": names[0], "second": names[1]}
    return json.dumps(document | {"endpoints": endpoints, "caution": ONE_READER}, indent=1, ensure_ascii=False) + "\n"


def published_table_report(names: tuple[str, str], loose: tuple[int, int, int], not_loose: tuple[int, int, int]) -> str:
    """What two readers' published counts allow to say. loose: (right by the first, by the second, cases); so not_loose.

    A paper that prints 16 of 17 and 9 of 17 without the cross-table leaves open on which cases the two were right; all that
    it may have been are listed.
    """
    lines = []
    for label, (first, second, n) in (("Sensitivity", loose), ("Specificity", not_loose)):
        lines.append(label)
        for name, k in zip(names, (first, second), strict=True):
            of = proportion(k, n)
            lines.append(
                f"  {name}: {k}/{n} = {number(of.value)}, Clopper-Pearson {interval(of.clopper_pearson)}, Wilson {interval(of.wilson)}"
            )
        possible = possible_pairings(first, second, n)
        noun = "pairing is" if len(possible) == 1 else "pairings are"
        lines.append(f"  {len(possible)} {noun} possible:")
        lines += [
            f"    {names[0]} alone right in {table.first_only}, {names[1]} alone in {table.second_only}: McNemar exact "
            f"{said_p(table.exact_p)}, mid-{said_p(table.mid_p)}; difference {number(table.difference)} "
            f"(Tango {interval(table.tango)}; Newcombe {interval(table.newcombe)})"
            for table in possible
        ]
    return "\n".join([*lines, ONE_READER]) + "\n"
