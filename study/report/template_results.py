"""The HTML of what every table of scores has: tests, readers, plots, pairs, agreement, time."""

RESULTS = """\
{% if not study %}
<h2>Case flow</h2>
<div class="flow">
<div><b>{{ analysis.cases + analysis.truth_unknown }}</b>cases in the file</div>
<div><b>{{ analysis.truth_unknown }}</b>left out: truth not known</div>
<div><b>{{ analysis.loose }}</b>loose</div><div><b>{{ analysis.not_loose }}</b>not loose</div>
<div><b>{{ analysis.patients }}</b>patients (clusters)</div>
<div><b>{{ analysis.readers - (1 if analysis.algorithm else 0) }}</b>readers{% if analysis.algorithm %}, and an algorithm{% endif %}</div><div><b>{{ analysis.modes }}</b>modes</div>
</div>
<p>Design: {{ analysis.design }}.{% if analysis.algorithm %} Algorithm: {{ analysis.algorithm }}.{% endif %}</p>
<table><thead><tr><th>Reader</th><th>Mode</th><th>Read</th><th>Without a score</th><th>Missing or indeterminate calls</th></tr></thead><tbody>
{% for r in analysis.reader_results %}<tr><td>{{ r.reader }}</td><td>{{ analysis.mode_of(r) }}</td><td class="n">{{ r.cases }}</td>
<td class="n">{{ r.missing }}</td><td class="n">{{ r.calls_missing if r.calls else "no calls" }}</td></tr>{% endfor %}
</tbody></table>
<p class="note">A missing or indeterminate call counts as an error; a reading without a score is left out of AUC.</p>
{% endif %}

<h2>Several readers: exploratory analyses</h2>
{% if exploratory %}<div class="wide">{{ t.test_table(exploratory) }}</div>
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
<p>{{ analysis.algorithm }}: AUC {{ one.algorithm|num }}{% if one.algorithm_ci %} ({{ one.algorithm_ci|ci }}){% endif %};
mean of {{ one.readers|length }} readers: {{ one.reader_mean|num }}{% if one.reader_mean_ci %} ({{ one.reader_mean_ci|ci }}){% endif %};
{{ analysis.algorithm }} minus readers {{ (-one.difference)|num }} ({{ (-one.ci[1], -one.ci[0])|ci }}), p: {{ one.p|p }}.
{{ one.method }}; speaks for {{ one.generalises_to }}. {{ one.caution }}</p>
<p class="note">As if these were the only cases (one-sample t, for comparison only): p: {{ one.p_fixed_cases|p }}.</p>
{% endif %}

{% if margin is not none %}
<h2>Non-inferiority, margin {{ margin }}: exploratory</h2>
{% if non_inferiority %}
<table><thead><tr><th>New</th><th>Reference</th><th>Endpoint</th><th>New − reference</th><th>Method</th><th>Speaks for</th><th>One-sided p</th></tr></thead><tbody>
{% for row in non_inferiority %}<tr><td>{{ row.new }}</td><td>{{ row.reference }}</td><td>{{ row.endpoint }}</td>
<td class="n">{{ row.difference|num }}</td><td>{{ row.method }}</td><td>{{ row.generalises_to }}</td>
<td class="n">{{ row.p_one_sided|p }}</td></tr>{% endfor %}
</tbody></table>
{% else %}<p>These data allow no test of non-inferiority over several readers.</p>{% endif %}
{% endif %}

<h2>Each reader</h2>
<div class="wide"><table><thead><tr><th>Reader</th><th>Mode</th><th>Loose / not loose</th><th>AUC</th><th>SE ({{ analysis.method("DeLong") }})</th><th>95 % CI</th></tr></thead><tbody>
{% for r in analysis.reader_results %}<tr><td>{{ r.reader }}</td><td>{{ analysis.mode_of(r) }}</td>
{% if r.auc_delong %}<td class="n">{{ r.auc_delong.positives }} / {{ r.auc_delong.negatives }}</td><td class="n">{{ r.auc_delong.auc|num }}</td>
<td class="n">{{ r.auc_delong.se|num(4) }}</td><td class="n">{% for name, bounds in r.auc_delong|intervals %}{{ bounds|ci }} ({{ name }}){% if not loop.last %}<br>{% endif %}{% else %}–{% endfor %}</td>{% else %}<td colspan="4">–</td>{% endif %}</tr>
{% for sentence in r.sentences %}<tr><td></td><td colspan="5" class="said">{{ sentence }}</td></tr>{% endfor %}{% endfor %}
</tbody></table></div>
{% set ranked = analysis.reader_results|selectattr("high_specificity")|list %}
{% if ranked %}{% set first = ranked[0].high_specificity %}
<h3>Where few false alarms are allowed: exploratory</h3>
<div class="wide"><table><thead><tr><th>Reader</th><th>Mode</th><th>Sensitivity at a specificity of {{ first.at_specificity }}</th>
<th>Partial AUC, specificity {{ first.least_specificity }} to 1</th><th>The same, standardised (McClish)</th></tr></thead><tbody>
{% for r in ranked %}<tr><td>{{ r.reader }}</td><td>{{ analysis.mode_of(r) }}</td>
{% for v in (r.high_specificity.sensitivity, r.high_specificity.partial_auc, r.high_specificity.standardised) %}
<td class="n">{{ v.value|num }} ({{ v.ci|ci }})</td>{% endfor %}</tr>
{% if r.high_specificity.caution %}<tr><td></td><td colspan="4" class="said">{{ r.high_specificity.caution }}</td></tr>{% endif %}{% endfor %}
</tbody></table></div>
<p class="note">From the scores, whatever was called. Intervals: 95 %, bootstrap by patient. Standardised: .5 for chance, 1 for no error.</p>
{% endif %}
{% if has_calls %}
<h3>2×2 tables, with 95 % intervals ({{ analysis.method("Wilson") }}; {{ analysis.method("Clopper-Pearson") }})</h3>
<div class="wide"><table><thead><tr><th>Reader</th><th>Mode</th><th>TP</th><th>FN</th><th>TN</th><th>FP</th><th>Sensitivity</th><th>Specificity</th><th>PPV</th><th>NPV</th></tr></thead><tbody>
{% for r in analysis.reader_results if r.calls %}<tr><td>{{ r.reader }}</td><td>{{ analysis.mode_of(r) }}</td>
<td class="n">{{ r.calls.true_positive }}</td><td class="n">{{ r.calls.false_negative }}</td>
<td class="n">{{ r.calls.true_negative }}</td><td class="n">{{ r.calls.false_positive }}</td>
{% for v in (r.sensitivity, r.specificity, r.positive_predictive_value, r.negative_predictive_value) %}
<td class="n">{{ v|share }}{% if v.n %}<br>{{ v.wilson|ci }}<br>{{ v.clopper_pearson|ci }}{% endif %}</td>{% endfor %}</tr>{% endfor %}
</tbody></table></div>
<p class="note">Predictive values hold at the share of loose cases in this file. First interval {{ analysis.method("Wilson") }}, second {{ analysis.method("Clopper-Pearson") }}.</p>
{% endif %}

<h2>Plots</h2>
{% for plot, svg in plots %}<figure><figcaption><h3>{{ plot.title }}</h3></figcaption>{{ svg }}</figure>
{% else %}<p>There is nothing to plot.</p>{% endfor %}

{% if analysis.switches %}
<h2>Changed calls</h2>
{{ t.switch_table(analysis.switches) }}
{% endif %}

<h2>Comparisons of two</h2>
<p class="note">Each speaks for cases like these, read by these two; not for readers in general. Not corrected for multiplicity.</p>
{% if analysis.pairs %}
<div class="wide"><table><thead><tr><th>First − second</th><th>Cases</th><th>AUC difference</th><th>95 % CI ({{ analysis.method("DeLong") }})</th><th>p ({{ analysis.method("DeLong") }})</th></tr></thead><tbody>
{% for pair in analysis.listed_pairs %}<tr><td>{{ pair.first }} − {{ pair.second }}</td><td class="n">{{ pair.cases }}</td>
{% if pair.auc_delong %}<td class="n">{{ pair.auc_delong.difference|num }}</td><td class="n">{{ pair.auc_delong.ci|ci }}</td>
<td class="n">{{ pair.auc_delong.p|p }}</td>{% else %}<td colspan="3">–</td>{% endif %}</tr>
{% for sentence in pair.sentences %}<tr><td colspan="5" class="said">{{ sentence }}</td></tr>{% endfor %}{% endfor %}
</tbody></table></div>
{% if has_calls %}
<div class="wide"><table><thead><tr><th>First − second</th><th>Of</th><th>Cases</th><th>Only first / only second right</th><th>Difference</th>
<th>95 % CI ({{ analysis.method("Tango") }})</th><th>95 % CI ({{ analysis.method("Newcombe 10") }})</th>
{% for name in mcnemars %}<th>p ({{ analysis.method(name) }})</th>{% endfor %}</tr></thead><tbody>
{% for pair in analysis.listed_pairs %}{% if pair.sensitivity_mcnemar %}{{ t.mcnemar("sensitivity", pair, pair.sensitivity_mcnemar) }}{% endif %}
{% if pair.specificity_mcnemar %}{{ t.mcnemar("specificity", pair, pair.specificity_mcnemar) }}{% endif %}{% endfor %}
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
{% for r in analysis.reader_results if r.median_s is not none %}<tr><td>{{ r.reader }}</td><td>{{ analysis.mode_of(r) }}</td><td class="n">{{ r.median_s|num(1) }}</td>
<td class="n">{{ r.quartiles_s|ci(1) }}</td></tr>{% endfor %}
</tbody></table>
{% endif %}
"""
