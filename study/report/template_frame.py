"""The HTML of the report: the page as a whole, its style, and the tables that several sections share."""

FRAME = """\
{% import "macros" as t %}
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>{{ analysis.title or "Reader study" }}</title>
<style>
{% include "style" %}
</style>
</head>
<body>
<header>
{% if report.notice %}<p class="notice">{{ report.notice }}</p>{% endif %}
<h1>{{ analysis.title or "Reader study" }}</h1>
<p class="note">{% if provenance.file %}{{ provenance.file }} · {% endif %}analysed {{ provenance.created_utc|when }} · for research use only</p>
</header>
<main>
<section class="conclusion"><h3>Conclusion</h3><p>{{ conclusion }}</p></section>
{% if study and study.dossier.problems %}
<section class="cautions"><h3>The record does not hold together</h3>
<ul>{% for problem in study.dossier.problems %}<li>{{ problem }}</li>{% endfor %}</ul></section>
{% endif %}
{% if analysis.sentences %}
<section class="cautions"><h3>To be read with the numbers</h3>
<ul>{% for sentence in analysis.sentences %}<li>{{ sentence }}</li>{% endfor %}</ul></section>
{% endif %}

<h2>Pre-registered analysis</h2>
{% if report.planned %}
<section class="planned">
{% for test in report.planned %}
<p><strong>{{ "Primary" if test.primary else "Secondary" }}: {{ test.endpoint }}.</strong> {{ test.verdict }}</p>
{% endfor %}
{% if report.planned|selectattr("estimate")|list %}<div class="wide">{{ t.planned_table(report.planned, method_names, one_sided) }}</div>{% endif %}
</section>
<p class="note">Fixed {% if study %}and hashed {% endif %}before the first reading:</p>
{{ t.facts(plan_rows) }}
{% else %}
<p>No protocol was given with these data, so every analysis in this report is <strong>exploratory</strong>.</p>
{% endif %}

{% if study %}{% include "study" %}{% endif %}
{% include "results" %}
{% include "record" %}
<h2>Reporting guidelines</h2>
<p class="note">What this report supports of STARD-AI and CLAIM, with the numbers of STARD 2015, and what its authors still have to write.</p>
<table><thead><tr><th>Item</th><th>What it asks for</th><th>Supported by</th></tr></thead><tbody>
{% for item in items %}<tr><td class="n">{{ item.number }}</td><td>{{ item.words }}</td><td>{{ item.where }}</td></tr>{% endfor %}
</tbody></table>
</main>
</body>
</html>
"""

STYLE = """\
body { font: 15px/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; color: #1a1a1a; background: #fff;
  max-width: 1080px; margin: 2rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; } h2 { font-size: 1.25rem; margin: 2.2rem 0 .5rem; border-bottom: 1px solid #bfbfbf; }
h3 { font-size: 1.02rem; margin: 1.3rem 0 .3rem; }
table { border-collapse: collapse; width: 100%; margin: .6rem 0 1rem; font-size: .86rem; }
th { text-align: left; vertical-align: bottom; border-bottom: 1.5px solid #1a1a1a; padding: 4px 8px; }
td { vertical-align: top; padding: 3px 8px; border-bottom: 1px solid #ececec; }
tr.first td { border-top: 1px solid #bfbfbf; } td.n, th.n { font-variant-numeric: tabular-nums; white-space: nowrap; }
table.facts td:first-child { width: 24%; color: #404040; }
.said, .note { color: #404040; font-size: .86rem; } .notice { font-size: 34px; font-weight: 800; letter-spacing: .04em;
  border: 4px solid #1a1a1a; padding: .5rem 1rem; margin: 0 0 1.2rem; text-align: center; }
.conclusion { border-left: 4px solid #1a1a1a; padding: .2rem 1rem; background: #f4f6f8; font-size: 1.05rem; }
.cautions { border-left: 4px solid #d55e00; padding: .2rem 1rem; background: #fdf6f0; }
.planned { border-left: 4px solid #0072b2; padding: .2rem 1rem; }
.flow { display: flex; flex-wrap: wrap; gap: .6rem; } .flow div { border: 1px solid #8c8c8c; padding: .4rem .8rem; }
.flow b { display: block; font-size: 1.25rem; } figure { margin: 1rem 0; } svg { max-width: 100%; height: auto; }
code { font-size: .82rem; overflow-wrap: anywhere; } .wide { overflow-x: auto; }
pre { font-size: .78rem; white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid #ececec; padding: .6rem; }
@media print { body { max-width: none; margin: 0; font-size: 10pt; } h2, h3 { break-after: avoid; }
  figure, tr { break-inside: avoid; } .wide { overflow: visible; } table { font-size: 7.5pt; } td.n { white-space: normal; } }
"""

MACROS = """\
{% macro facts(rows) %}
<table class="facts"><tbody>
{% for name, value in rows %}<tr><td>{{ name }}</td><td>{{ value }}</td></tr>{% endfor %}
</tbody></table>
{% endmacro %}
{% macro planned_table(tests, method_names, one_sided) %}
<table>
<thead><tr><th>Endpoint</th><th>Method, covariance, degrees of freedom</th><th>Speaks for</th><th>Compared</th><th>Mean of each (interval)</th>
<th>Difference (interval)</th><th>SE; df</th><th>p</th><th>p, corrected</th></tr></thead><tbody>
{% for test in tests if test.estimate %}
{% set e = test.estimate %}
<tr class="first"><td>{{ test.endpoint }}{% if test.primary %}, primary{% endif %}</td>
<td>{{ method_names[test.method] }}; {{ e.covariance }} covariance; {{ e.df_rule }}</td>
<td>{{ e.generalises_to }}; from {{ e.readers }} readers, {{ e.cases }} cases</td>
<td>{{ e.new }} − {{ e.reference }}</td><td class="n">{{ e.new }} {{ e.new_value|num }}{% if e.new_ci %} ({{ e.new_ci|ci }}){% endif %}<br>
{{ e.reference }} {{ e.reference_value|num }}{% if e.reference_ci %} ({{ e.reference_ci|ci }}){% endif %}</td>
<td class="n">{{ e.difference|num }}{% if e.ci %}<br>{{ "%g"|format(100 * (1 - test.alpha)) }} %: {{ e.ci|ci }}{% endif %}</td>
<td class="n">{{ e.se|num(4) }}; {{ e.df|df }}</td>
<td class="n">{{ test.p|p }}{% if test.hypothesis == one_sided %}<br>one-sided, margin {{ "%g"|format(test.margin) }}{% endif %}</td>
<td class="n">{% if test.adjusted_p is not none %}{{ test.adjusted_p|p }}{% else %}–{% endif %}</td></tr>
{% endfor %}
</tbody></table>
{% endmacro %}
{% macro switch_table(rows) %}
<table><thead><tr><th>Reader</th><th>From → to</th><th>Cases</th><th>To the truth, of those wrong at first</th><th>From the truth, of those right at first</th><th>Right in both</th><th>Wrong in both</th></tr></thead><tbody>
{% for s in rows %}<tr><td>{{ s.reader }}</td><td>{{ s.first }} → {{ s.second }}</td><td class="n">{{ s.cases }}</td>
<td class="n">{{ s.to_truth_rate|share }}</td><td class="n">{{ s.from_truth_rate|share }}</td><td class="n">{{ s.stayed_right }}</td><td class="n">{{ s.stayed_wrong }}</td></tr>{% endfor %}
{% if rows|length > 1 %}<tr class="first"><td>all</td><td></td><td class="n">{{ rows|sum(attribute="cases") }}</td>
<td class="n">{{ rows|sum(attribute="to_truth") }}</td><td class="n">{{ rows|sum(attribute="from_truth") }}</td>
<td class="n">{{ rows|sum(attribute="stayed_right") }}</td><td class="n">{{ rows|sum(attribute="stayed_wrong") }}</td></tr>{% endif %}
</tbody></table>
{% endmacro %}
{% macro mcnemar(label, pair, table) %}
<tr><td>{{ pair.first }} − {{ pair.second }}</td><td>{{ label }}</td><td class="n">{{ table.n }}</td>
<td class="n">{{ table.first_only }} / {{ table.second_only }}</td><td class="n">{{ table.difference|num }}</td>
<td class="n">{{ table.tango|ci }}</td><td class="n">{{ table.newcombe|ci }}</td>
<td class="n">{{ table.exact_p|p }}</td><td class="n">{{ table.mid_p|p }}</td><td class="n">{{ table.chi2_p|p }}</td></tr>
{% endmacro %}
{% macro test_table(tests) %}
<table>
<thead><tr><th>Endpoint</th><th>Method, covariance, degrees of freedom</th><th>Speaks for</th><th>Compared</th>
<th>Difference (95 % CI)</th><th>SE</th><th>Statistic (df)</th><th>p</th></tr></thead>
<tbody>
{% for test in tests %}
{% set rows = test.comparisons|length %}
{% if rows == 0 %}
<tr><td>{{ test.endpoint }}</td><td>{{ test.method }}{% if test.covariance != "none" %}; {{ test.covariance }}{% endif %}; {{ test.df_rule }}</td>
<td>{{ test.generalises_to }}</td><td colspan="5">One mode: means only, no test of a difference.</td></tr>
{% endif %}
{% for c in test.comparisons %}
<tr{% if loop.first %} class="first"{% endif %}>
{% if loop.first %}
<td rowspan="{{ rows }}">{{ test.endpoint }}</td>
<td rowspan="{{ rows }}">{{ test.method }}{% if test.covariance != "none" %}; {{ test.covariance }} covariance{% endif %}; {{ test.df_rule }}</td>
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
<tr{% if loop.first %} class="first"{% endif %}><td>{{ test.endpoint }}</td><td>{{ test.method }}{% if test.covariance != "none" %}; {{ test.covariance }}{% endif %}</td>
<td>{{ test.generalises_to }}</td><td>{{ name }}</td><td class="n">{{ mean|num }}{% if bounds %} ({{ bounds|ci }}){% endif %}</td>
<td class="n">{{ se|num(4) }}</td></tr>
{% endfor %}{% endfor %}
</tbody></table>
<p class="note">Intervals of means are computed on the logit scale, so they stay within 0 and 1.</p>
{% endmacro %}
"""
