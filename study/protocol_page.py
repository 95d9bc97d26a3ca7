"""The protocol as a page to print: one self-contained HTML file."""

from __future__ import annotations

from study.protocol import (
    Arms,
    Endpoint,
    Hypothesis,
    Indeterminate,
    Method,
    Missing,
    NegativeVariance,
    Protocol,
    Scale,
    StudyDesign,
    TrainingData,
    protocol_sha256,
)

_WORDS: dict[object, str] = {
    StudyDesign.CROSSED: "fully crossed: every reader reads every case",
    StudyDesign.SPLIT_PLOT: "paired split-plot: each block of readers reads its own block of cases, in every arm",
    StudyDesign.CNN_AGAINST_READERS: "CNN against readers: readers without the CNN, and the CNN as a reader of its own",
    Arms.SEQUENTIAL: "sequential: the unaided answer is locked, then the CNN is revealed and the answer is given again",
    Arms.CROSSOVER: "crossover: all cases in one arm, washout, all cases in the other; order balanced over readers",
    Arms.UNAIDED: "unaided only",
    Scale.SCORE: "0 to 100 for loosening; 50 is not allowed",
    Scale.FIVE_POINT: "five points, written as 0, 25, 50, 75, 100",
    Endpoint.AUC: "area under the ROC curve",
    Endpoint.SENSITIVITY: "sensitivity",
    Endpoint.SPECIFICITY: "specificity",
    Hypothesis.SUPERIORITY: "superiority, two-sided",
    Hypothesis.NON_INFERIORITY: "non-inferiority",
    Method.OBUCHOWSKI_ROCKETTE: "Obuchowski-Rockette with Hillis' degrees of freedom",
    Method.U_STATISTICS: "U-statistics",
    Method.ONE_AGAINST_MANY: "one network against many readers",
    Missing.COUNT_AS_ERROR: "a missing reading counts as an error, and as the worst score for its case",
    Missing.LEAVE_OUT: "left out; with its case for all readers where the method needs complete cases",
    Missing.AVAILABLE: "that reading alone is left out (Obuchowski-Rockette: unbiased covariances)",
    NegativeVariance.NO_TEST: "no test",
    NegativeVariance.MLE: "the MLE variance takes its place",
    Indeterminate.COUNT_AS_ERROR: "counts as an error",
    Indeterminate.LEAVE_OUT: "left out",
    TrainingData.SIMULATED: "simulated radiographs",
    TrainingData.INSERTED: "lines inserted into real radiographs, and simulated radiographs",
    TrainingData.CLINICAL: "radiographs of a hospital's patients",
    Indeterminate.BY_SCORE: "the call is the side of 50 that the score lies on; an error without a score",
}

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ p.title }} – protocol</title><style>
body { font: 11pt/1.45 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; color: #111; background: #fff; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin: 1.4rem 0 .3rem; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; vertical-align: top; padding: 4px 8px;
border-bottom: 1px solid #bbb; } th { font-weight: 600; } code { overflow-wrap: anywhere; font-size: 9pt; }
@media print { body { margin: 0; } tr { break-inside: avoid; } }
</style></head><body>
<h1>{{ p.title }}</h1><p>Protocol of a reader study, {{ p.study_id }}</p>
{% for heading, rows in sections %}<h2>{{ heading }}</h2><table width="100%">
{% for name, value in rows %}<tr><th scope="row" width="32%">{{ name }}</th><td>{{ value }}</td></tr>
{% endfor %}</table>{% endfor %}
{% if deviations %}<h2>Deviations</h2><table width="100%">{% for utc, text in deviations %}
<tr><th scope="row" width="32%">{{ utc }}</th><td>{{ text }}</td></tr>{% endfor %}</table>{% endif %}
<h2>Fixed before the first reading</h2><table width="100%">
<tr><th scope="row" width="32%">SHA-256 of the protocol</th><td><code>{{ digest }}</code>{% if not registered %}<br>of
this draft; the registered one also covers the case list and the commitment{% endif %}</td></tr>
<tr><th scope="row" width="32%">Case list SHA-256</th><td><code>{{ p.cases_sha256 or "not registered yet" }}</code></td></tr>
<tr><th scope="row" width="32%">Commitment to the truth</th><td><code>{{ p.truth_commitment or "not registered yet" }}</code></td></tr>
</table></body></html>
"""


def protocol_page(protocol: Protocol, deviations: tuple[tuple[str, str], ...] = ()) -> str:
    """HTML text. deviations: (UTC time, what was done otherwise and why), in order."""
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    page = environment.from_string(_PAGE)
    return page.render(
        p=protocol,
        sections=_sections(protocol),
        digest=protocol_sha256(protocol),
        registered=bool(protocol.cases_sha256 and protocol.truth_commitment),
        deviations=deviations,
    )


def _sections(p: Protocol) -> list[tuple[str, list[tuple[str, str]]]]:
    plan = p.plan
    groups = "; ".join(f"{group.count} × {group.experience or 'experience not given'}" for group in p.readers)
    conduct = [
        ("Design", _WORDS[p.design] + (f", {p.blocks} blocks" if p.blocks > 1 else "")),
        ("Arms", _WORDS[p.arms]),
        *([("Washout", f"{p.washout_days} days, by date")] if p.arms is Arms.CROSSOVER else []),
        ("Readers", f"{p.planned_readers}: {groups}"),
        (
            "Cases",
            f"{p.planned_cases}; {p.practice_cases or 'no'} practice case{'' if p.practice_cases == 1 else 's'}, never counted",
        ),
        (
            "Read twice",
            f"{p.repeats} cases, far apart, for agreement of readers with themselves" if p.repeats else "no case",
        ),
        ("Order", f"random for each reader, from seed {p.seed}"),
        ("Rating scale", _WORDS[p.scale]),
        ("Zones asked", _yes(p.zones_asked)),
        ("Marks asked", _yes(p.marks_asked)),
        ("“Not assessable” allowed", _yes(p.not_assessable_allowed)),
        ("“Cannot tell” allowed", _yes(p.cannot_tell_allowed)),
        ("Going back allowed", _yes(p.going_back_allowed)),
    ]
    aid = [
        ("CNN", p.bundle_id),
        ("SHA-256 of its bundle", p.bundle_sha256),
        ("Trained on", _WORDS.get(p.bundle_training, "not recorded")),
        ("Attention map shown", _yes(p.overlay_allowed) if p.shows_cnn else "no: the CNN is not shown"),
        (
            "Sham outputs",
            f"{100 * p.sham_share:g} % of the cases, flipped; never counted for the CNN" if p.sham_share else "none",
        ),
    ]
    analysis = [
        ("Primary endpoint", _WORDS[plan.endpoint]),
        ("Hypothesis", _WORDS[plan.hypothesis] + (f", margin {plan.margin:g}" if plan.margin else "")),
        ("Method", _WORDS[plan.method]),
        *(
            [("Compared", f"{plan.new_mode} (new) minus {plan.reference_mode} (reference)")]
            if plan.new_mode and plan.reference_mode
            else []
        ),
        ("Significance level", f"{plan.alpha:g}"),
        ("Multiplicity", plan.multiplicity.value),
        ("Missing readings", _WORDS[plan.missing]),
        *(
            [("Where the unbiased variance is not positive", _WORDS[plan.negative_variance])]
            if plan.negative_variance
            else []
        ),
        ("“Cannot tell”, “not assessable”", _WORDS[plan.indeterminate]),
        ("Secondary endpoints", "; ".join(plan.secondary) or "none"),
        (
            "Planned to find",
            f"a difference of {plan.effect:g}" + (f" with a power of {100 * plan.power:g} %" if plan.power else "")
            if plan.effect is not None
            else "no size was planned for",
        ),
    ]
    return [
        (
            "Question",
            [
                ("Question", p.question),
                ("Reference standard", p.reference_standard),
                ("Where it comes from", p.reference_source),
            ],
        ),
        ("Conduct", conduct),
        ("The CNN", aid),
        ("Analysis", analysis),
    ]


def _yes(value: bool) -> str:
    return "yes" if value else "no"
