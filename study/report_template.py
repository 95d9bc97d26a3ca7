"""The HTML of the report: one file, no scripts, nothing from elsewhere, fit for paper."""

TEMPLATE = """\
{% macro mcnemar(label, pair, table) %}
<tr><td>{{ pair.first }} − {{ pair.second }}</td><td>{{ label }}</td><td class="n">{{ table.n }}</td>
<td class="n">{{ table.first_only }} / {{ table.second_only }}</td><td class="n">{{ table.difference|num }}</td>
<td class="n">{{ table.tango|ci }}</td><td class="n">{{ table.newcombe|ci }}</td>
<td class="n">{{ table.exact_p|p }}</td><td class="n">{{ table.mid_p|p }}</td></tr>
{% endmacro %}
{% macro test_table(tests) %}
<table>
<thead><tr><th>Endpoint</th><th>Method, covariance, degrees of freedom</th><th>Speaks for</th><th>Compared</th>
<th>Difference (95 % CI)</th><th>SE</th><th>Statistic (df)</th><th>p</th></tr></thead>
<tbody>
{% for test in tests %}
{% set rows = test.comparisons|length %}
{% if rows == 0 %}
<tr><td>{{ test.endpoint }}</td><td>{{ test.method }}; {{ test.covariance }}; {{ test.df_rule }}</td>
<td>{{ test.generalises_to }}</td><td colspan="5">One mode: means only, no test of a difference.</td></tr>
{% endif %}
{% for c in test.comparisons %}
<tr{% if loop.first %} class="first"{% endif %}>
{% if loop.first %}
<td rowspan="{{ rows }}">{{ test.endpoint }}</td>
<td rowspan="{{ rows }}">{{ test.method }}; {{ test.covariance }} covariance; {{ test.df_rule }}</td>
<td rowspan="{{ rows }}">{{ test.generalises_to }}</td>
{% endif %}
<td>{{ c.first }} − {{ c.second }}</td><td class="n">{{ c.difference|num }} ({{ c.ci|ci }})</td>
<td class="n">{{ c.se|num(4) }}</td>
<td class="n">{% if rows == 1 %}{{ test.statistic_name }} = {{ test.statistic|num(2) }} ({% if test.numerator_df %}{{ test.numerator_df|df }}; {% endif %}{{ test.denominator_df|df }}){% else %}t ({{ c.df|df }}){% endif %}</td>
<td class="n">{{ c.p|p }}</td></tr>
{% endfor %}
{% if rows > 1 and test.p is not none %}
<tr><td colspan="3"></td><td>all modes equal</td><td></td><td></td>
<td class="n">{{ test.statistic_name }} = {{ test.statistic|num(2) }} ({{ test.numerator_df|df }}; {{ test.denominator_df|df }})</td>
<td class="n">{{ test.p|p }}</td></tr>
{% endif %}
{% for sentence in test.sentences %}<tr><td colspan="8" class="said">{{ sentence }}</td></tr>{% endfor %}
{% endfor %}
</tbody></table>
<table>
<thead><tr><th>Endpoint</th><th>Method and covariance</th><th>Speaks for</th><th>Of</th><th>Mean (95 % CI)</th><th>SE</th></tr></thead>
<tbody>
{% for test in tests %}{% for name, mean, se, bounds in test.means %}
<tr{% if loop.first %} class="first"{% endif %}><td>{{ test.endpoint }}</td><td>{{ test.method }}; {{ test.covariance }}</td>
<td>{{ test.generalises_to }}</td><td>{{ name }}</td><td class="n">{{ mean|num }}{% if bounds %} ({{ bounds|ci }}){% endif %}</td>
<td class="n">{{ se|num(4) }}</td></tr>
{% endfor %}{% endfor %}
</tbody></table>
{% endmacro %}
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>{{ analysis.title or "Reader study" }}</title>
<style>
body { font: 15px/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; color: #1a1a1a; background: #fff;
  max-width: 1080px; margin: 2rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; } h2 { font-size: 1.25rem; margin: 2.2rem 0 .5rem; border-bottom: 1px solid #bfbfbf; }
h3 { font-size: 1.02rem; margin: 1.3rem 0 .3rem; }
table { border-collapse: collapse; width: 100%; margin: .6rem 0 1rem; font-size: .86rem; }
th { text-align: left; vertical-align: bottom; border-bottom: 1.5px solid #1a1a1a; padding: .25rem .5rem; }
td { vertical-align: top; padding: .2rem .5rem; border-bottom: 1px solid #ececec; }
tr.first td { border-top: 1px solid #bfbfbf; } td.n, th.n { font-variant-numeric: tabular-nums; white-space: nowrap; }
.said, .note { color: #404040; font-size: .86rem; } .notice { font-size: 2.3rem; font-weight: 800; letter-spacing: .04em;
  border: 4px solid #1a1a1a; padding: .5rem 1rem; margin: 0 0 1.2rem; text-align: center; }
.cautions { border-left: 4px solid #d55e00; padding: .2rem 1rem; background: #fdf6f0; }
.planned { border-left: 4px solid #0072b2; padding: .2rem 1rem; }
.flow { display: flex; flex-wrap: wrap; gap: .6rem; } .flow div { border: 1px solid #8c8c8c; padding: .4rem .8rem; }
.flow b { display: block; font-size: 1.25rem; } figure { margin: 1rem 0; } svg { max-width: 100%; height: auto; }
code { font-size: .82rem; overflow-wrap: anywhere; } .wide { overflow-x: auto; }
@media print { body { max-width: none; margin: 0; font-size: 10pt; } h2, h3 { break-after: avoid; }
  figure, tr { break-inside: avoid; } .wide { overflow: visible; } table { font-size: 7.5pt; } td.n { white-space: normal; } }
</style>
</head>
<body>
<header>
{% if notice %}<p class="notice">{{ notice }}</p>{% endif %}
<h1>{{ analysis.title or "Reader study" }}</h1>
<p class="note">{{ provenance.file }} · analysed {{ provenance.created_utc }} · for research use only</p>
</header>
<main>
{% if analysis.sentences %}
<section class="cautions"><h3>To be read with the numbers</h3>
<ul>{% for sentence in analysis.sentences %}<li>{{ sentence }}</li>{% endfor %}</ul></section>
{% endif %}

<h2>Case flow</h2>
<div class="flow">
<div><b>{{ analysis.cases + analysis.truth_unknown }}</b>cases in the file</div>
<div><b>{{ analysis.truth_unknown }}</b>left out: truth not known</div>
<div><b>{{ analysis.loose }}</b>loose</div><div><b>{{ analysis.not_loose }}</b>not loose</div>
<div><b>{{ analysis.patients }}</b>patients (clusters)</div>
<div><b>{{ analysis.readers }}</b>readers</div><div><b>{{ analysis.modes }}</b>modes</div>
</div>
<p>Design: {{ analysis.design }}.{% if analysis.algorithm %} Algorithm: {{ analysis.algorithm }}.{% endif %}</p>
<table><thead><tr><th>Reader</th><th>Mode</th><th>Read</th><th>Without a score</th><th>Missing or indeterminate calls</th></tr></thead><tbody>
{% for r in analysis.reader_results %}<tr><td>{{ r.reader }}</td><td>{{ r.mode }}</td><td class="n">{{ r.cases }}</td>
<td class="n">{{ r.missing }}</td><td class="n">{{ r.calls_missing if r.calls else "no calls" }}</td></tr>{% endfor %}
</tbody></table>
<p class="note">A missing or indeterminate call counts as an error; a reading without a score is left out of AUC.</p>

<h2>Pre-registered analysis</h2>
{% if plan %}
<section class="planned">
<p>{{ plan.title }} Fixed before the first reading: endpoint {{ plan.endpoint }}; {{ plan.method }}{% if plan.covariance %},
{{ plan.covariance }} covariance{% endif %}; speaks for {{ plan.generalises_to }}{% if plan.margin is not none %};
non-inferiority margin {{ plan.margin }}{% endif %}{% if plan.missing %}; missing and indeterminate readings: {{ plan.missing }}{% endif %}.
{% if plan.sha256 %}SHA-256 of the protocol: <code>{{ plan.sha256 }}</code>{% endif %}</p>
{% if planned %}<div class="wide">{{ test_table(planned) }}</div>
{% else %}<p><strong>Deviation:</strong> the pre-registered analysis could not be computed from these data. Nothing below replaces it.</p>{% endif %}
</section>
{% else %}
<p>No protocol was given with these data, so every analysis in this report is <strong>exploratory</strong>.</p>
{% endif %}

<h2>Several readers: exploratory analyses</h2>
{% if exploratory %}<div class="wide">{{ test_table(exploratory) }}</div>
<p class="note">Methods differ in what they assume, and their p-values with them; choose one before the data are seen.</p>
{% else %}<p>No analysis over several readers is possible with these data.
{% if analysis.readers == 1 %}{{ one_reader }}{% endif %}</p>{% endif %}
{% if analysis.crossed %}
<h3>Variance components</h3>
<div class="wide"><table><thead><tr><th>Endpoint</th><th>Covariance</th>{% for name in components %}<th>{{ name }}</th>{% endfor %}</tr></thead><tbody>
{% for result in analysis.crossed %}<tr><td>{{ result.merit }}</td><td>{{ result.covariance }}</td>
{% for name in components %}<td class="n">{{ result.analysis.components|attr(name)|small }}</td>{% endfor %}</tr>{% endfor %}
</tbody></table></div>
<p class="note">cov1: one reader, two modes; cov2: two readers, one mode; cov3: both differ; ms: mean squares.</p>
{% endif %}

{% if analysis.algorithm_against_readers %}
{% set one = analysis.algorithm_against_readers %}
<h2>Algorithm against readers</h2>
<p>{{ analysis.algorithm }}: AUC {{ one.algorithm|num }}; mean of {{ one.readers|length }} readers: {{ one.reader_mean|num }};
readers minus algorithm {{ one.difference|num }} ({{ one.ci|ci }}), p: {{ one.p|p }}.
{{ one.method }}; speaks for {{ one.generalises_to }}. {{ one.caution }}</p>
<p class="note">As if these were the only cases (one-sample t, for comparison only): p: {{ one.p_fixed_cases|p }}.</p>
{% endif %}

{% if margin is not none %}
<h2>Non-inferiority, margin {{ margin }}</h2>
{% if non_inferiority %}
<table><thead><tr><th>New</th><th>Reference</th><th>Endpoint</th><th>New − reference</th><th>Method</th><th>Speaks for</th><th>One-sided p</th><th>Status</th></tr></thead><tbody>
{% for row in non_inferiority %}<tr><td>{{ row.new }}</td><td>{{ row.reference }}</td><td>{{ row.endpoint }}</td>
<td class="n">{{ row.difference|num }}</td><td>{{ row.method }}</td><td>{{ row.generalises_to }}</td>
<td class="n">{{ row.p_one_sided|p }}</td><td>{{ "pre-registered" if row.preregistered else "exploratory" }}</td></tr>{% endfor %}
</tbody></table>
{% else %}<p>These data allow no test of non-inferiority over several readers.</p>{% endif %}
{% endif %}

<h2>Each reader</h2>
<div class="wide"><table><thead><tr><th>Reader</th><th>Mode</th><th>Loose / not loose</th><th>AUC</th><th>SE (DeLong)</th><th>95 % CI (DeLong)</th></tr></thead><tbody>
{% for r in analysis.reader_results %}<tr><td>{{ r.reader }}</td><td>{{ r.mode }}</td>
{% if r.auc_delong %}<td class="n">{{ r.auc_delong.positives }} / {{ r.auc_delong.negatives }}</td><td class="n">{{ r.auc_delong.auc|num }}</td>
<td class="n">{{ r.auc_delong.se|num(4) }}</td><td class="n">{{ r.auc_delong.ci|ci }}</td>{% else %}<td colspan="4">–</td>{% endif %}</tr>
{% for sentence in r.sentences %}<tr><td></td><td colspan="5" class="said">{{ sentence }}</td></tr>{% endfor %}{% endfor %}
</tbody></table></div>
{% if has_calls %}
<h3>2×2 tables, with 95 % intervals (Wilson; Clopper-Pearson)</h3>
<div class="wide"><table><thead><tr><th>Reader</th><th>Mode</th><th>TP</th><th>FN</th><th>TN</th><th>FP</th><th>Sensitivity</th><th>Specificity</th><th>PPV</th><th>NPV</th></tr></thead><tbody>
{% for r in analysis.reader_results if r.calls %}<tr><td>{{ r.reader }}</td><td>{{ r.mode }}</td>
<td class="n">{{ r.calls.true_positive }}</td><td class="n">{{ r.calls.false_negative }}</td>
<td class="n">{{ r.calls.true_negative }}</td><td class="n">{{ r.calls.false_positive }}</td>
{% for v in (r.sensitivity, r.specificity, r.positive_predictive_value, r.negative_predictive_value) %}
<td class="n">{{ v|share }}{% if v.n %}<br>{{ v.wilson|ci }}<br>{{ v.clopper_pearson|ci }}{% endif %}</td>{% endfor %}</tr>{% endfor %}
</tbody></table></div>
<p class="note">Predictive values hold at the share of loose cases in this file. First interval Wilson, second Clopper-Pearson.</p>
{% endif %}

<h2>Plots</h2>
{% for plot, svg in plots %}<figure><figcaption><h3>{{ plot.title }}</h3></figcaption>{{ svg }}</figure>
{% else %}<p>There is nothing to plot.</p>{% endfor %}

{% if analysis.switches %}
<h2>Changed calls</h2>
<table><thead><tr><th>Reader</th><th>From → to</th><th>Cases</th><th>To the truth</th><th>From the truth</th><th>Right in both</th><th>Wrong in both</th></tr></thead><tbody>
{% for s in analysis.switches %}<tr><td>{{ s.reader }}</td><td>{{ s.first }} → {{ s.second }}</td><td class="n">{{ s.cases }}</td>
<td class="n">{{ s.to_truth }}</td><td class="n">{{ s.from_truth }}</td><td class="n">{{ s.stayed_right }}</td><td class="n">{{ s.stayed_wrong }}</td></tr>{% endfor %}
</tbody></table>
{% endif %}

<h2>Comparisons of two</h2>
<p class="note">Each speaks for cases like these, read by these two; not for readers in general. Not corrected for multiplicity.</p>
{% if analysis.pairs %}
<div class="wide"><table><thead><tr><th>First − second</th><th>Cases</th><th>AUC difference</th><th>95 % CI (DeLong)</th><th>p (DeLong)</th></tr></thead><tbody>
{% for pair in analysis.pairs %}<tr><td>{{ pair.first }} − {{ pair.second }}</td><td class="n">{{ pair.cases }}</td>
{% if pair.auc_delong %}<td class="n">{{ pair.auc_delong.difference|num }}</td><td class="n">{% if pair.auc_delong.se > 0 %}{{ pair.auc_delong.ci|ci }}{% else %}–{% endif %}</td>
<td class="n">{{ pair.auc_delong.p|p }}</td>{% else %}<td colspan="3">–</td>{% endif %}</tr>
{% for sentence in pair.sentences %}<tr><td colspan="5" class="said">{{ sentence }}</td></tr>{% endfor %}{% endfor %}
</tbody></table></div>
{% if has_calls %}
<div class="wide"><table><thead><tr><th>First − second</th><th>Of</th><th>Cases</th><th>Only first / only second right</th><th>Difference</th>
<th>95 % CI (Tango)</th><th>95 % CI (Newcombe 10)</th><th>p (McNemar exact)</th><th>p (McNemar mid-p)</th></tr></thead><tbody>
{% for pair in analysis.pairs %}{% if pair.sensitivity_mcnemar %}{{ mcnemar("sensitivity", pair, pair.sensitivity_mcnemar) }}{% endif %}
{% if pair.specificity_mcnemar %}{{ mcnemar("specificity", pair, pair.specificity_mcnemar) }}{% endif %}{% endfor %}
</tbody></table></div>
{% endif %}
{% else %}<p>No two sets of readings share a case.</p>{% endif %}

<h2>Agreement between readers</h2>
{% if analysis.agreement %}
<table><thead><tr><th>Mode</th><th>Of</th><th>Readers</th><th>Cases</th><th>Coefficient</th><th>Value</th><th>95 % CI</th></tr></thead><tbody>
{% for a in analysis.agreement %}{% for name, (value, low, high) in a.coefficients.items() %}
<tr{% if loop.first %} class="first"{% endif %}><td>{{ a.mode }}</td><td>{{ a.of }}</td><td class="n">{{ a.readers }}</td><td class="n">{{ a.cases }}</td>
<td>{{ name }}</td><td class="n">{{ value|num }}</td><td class="n">{% if low is not none %}{{ (low, high)|ci }}{% else %}–{% endif %}</td></tr>{% endfor %}
{% for sentence in a.sentences %}<tr><td>{{ a.mode }}</td><td>{{ a.of }}</td><td colspan="5" class="said">{{ sentence }}</td></tr>{% endfor %}{% endfor %}
</tbody></table>
{% else %}<p>Agreement needs two readers in one mode.</p>{% endif %}

{% if has_times %}
<h2>Time per case</h2>
<table><thead><tr><th>Reader</th><th>Mode</th><th>Median, active seconds</th><th>Quartiles</th></tr></thead><tbody>
{% for r in analysis.reader_results if r.median_s is not none %}<tr><td>{{ r.reader }}</td><td>{{ r.mode }}</td><td class="n">{{ r.median_s|num(1) }}</td>
<td class="n">{{ r.quartiles_s|ci(1) }}</td></tr>{% endfor %}
</tbody></table>
{% endif %}

<h2>Where the numbers come from</h2>
<table><tbody>
<tr><td>File</td><td>{{ provenance.file }}</td></tr>
<tr><td>SHA-256</td><td><code>{{ provenance.sha256 }}</code></td></tr>
{% for name, value in provenance.versions.items() %}<tr><td>{{ name }}</td><td>{{ value }}</td></tr>{% endfor %}
{% for head in provenance.record_heads %}<tr><td>Head of the record</td><td><code>{{ head }}</code></td></tr>{% endfor %}
{% for problem in provenance.record_problems %}<tr><td>Problem of the record</td><td>{{ problem }}</td></tr>{% endfor %}
</tbody></table>
<h3>Reporting guidelines</h3>
<p>This report supports these items of STARD-AI and CLAIM: flow of cases with those left out and why; numbers of loose and
not loose cases; cross tabulation of calls against the reference standard; estimates of accuracy with intervals; how
indeterminate and missing results were handled; variability between readers; comparison of readers and algorithm with the
statistical method named; what was fixed beforehand and what was not; file, software and hashes.
Not in these data, for the authors to add: study question and setting, eligibility, how and when the reference standard was
established, training data and network, experience of the readers, limitations, funding, registration.</p>
</main>
</body>
</html>
"""
