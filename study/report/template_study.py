"""The HTML of what only a study has: how it was done, what departed from the protocol, its flow, and its record."""

STUDY = """\
<h2>Deviations</h2>
{% if study.dossier.deviations or study.departures %}
{% if study.dossier.deviations %}<table><thead><tr><th>Noted</th><th>What</th><th>Why</th></tr></thead><tbody>
{% for utc, deviation in study.dossier.deviations %}<tr><td class="n">{{ utc|when }}</td><td>{{ deviation.what }}</td><td>{{ deviation.reason }}</td></tr>{% endfor %}
</tbody></table>{% endif %}
{% if study.departures %}<p>As the record itself shows:</p>
<ul>{% for sentence in study.departures %}<li>{{ sentence }}</li>{% endfor %}</ul>{% endif %}
{% else %}<p>No deviation was noted, and the record shows none.</p>{% endif %}

<h2>The study</h2>
{{ t.facts(study_rows) }}
<table><thead><tr><th>Reader</th><th>Experience</th><th>Answers</th><th>Corrected</th><th>First entry</th><th>Last entry</th>
<th>Active minutes</th><th>Breaks, minutes</th><th>Signed</th><th>Read with</th></tr></thead><tbody>
{% for r in study.dossier.readers %}<tr><td>{{ r.id }}</td><td>{{ r.experience or "–" }}</td><td class="n">{{ r.answers }}</td><td class="n">{{ r.corrections }}</td>
<td class="n">{{ r.first_utc|when }}</td><td class="n">{{ r.last_utc|when }}</td><td class="n">{{ (r.active_s / 60)|num(1) }}</td>
<td class="n">{{ (r.break_s / 60)|num(1) }}</td><td>{{ "yes" if r.signed else "no" }}</td><td>{{ r.app_versions|join(", ") or "–" }}</td></tr>{% endfor %}
</tbody></table>

{% set flow = study.scores.flow %}
<h2>Case flow</h2>
<div class="flow">
<div><b>{{ flow.registered }}</b>cases registered</div><div><b>{{ flow.practice }}</b>for practice, not counted</div>
<div><b>{{ flow.loose }}</b>loose</div><div><b>{{ flow.not_loose }}</b>not loose</div><div><b>{{ flow.patients }}</b>patients (clusters)</div>
<div><b>{{ flow.undecided_by_cnn }}</b>not decided by the CNN</div>
<div><b>{{ flow.sham }}</b>CNN output flipped: tabulated apart</div>
</div>
<table><thead><tr><th>Reader</th><th>Mode</th><th>Planned</th><th>Given</th><th>Missing</th><th>Against the protocol, not counted</th>
<th>Indeterminate</th><th>CNN output flipped</th><th>Second readings</th></tr></thead><tbody>
{% for r in flow.readers %}<tr><td>{{ r.reader }}</td><td>{{ r.mode }}</td><td class="n">{{ r.planned }}</td><td class="n">{{ r.given }}</td><td class="n">{{ r.missing }}</td>
<td class="n">{{ r.not_counted }}</td><td class="n">{{ r.indeterminate }}</td><td class="n">{{ r.sham }}</td><td class="n">{{ r.repeated }}</td></tr>{% endfor %}
{% for name in flow.never_returned %}<tr><td>{{ name }}</td><td colspan="8">enrolled; nothing came back</td></tr>{% endfor %}
</tbody></table>

{% if study.sham_switches or study.sham %}
<h2>Flipped CNN outputs</h2>
<p>On {{ study.scores.sham_cases|length }} cases readers were shown the opposite of what the CNN had said, as the protocol declares. These readings measure how far
readers follow it; they are in no other number of this report, and never in the CNN's own accuracy.</p>
{% if study.sham_switches %}{{ t.switch_table(study.sham_switches) }}{% endif %}
{% if study.sham %}<table><thead><tr><th>Reader</th><th>Mode</th><th>Cases</th><th>Right calls, loose</th><th>Right calls, not loose</th></tr></thead><tbody>
{% for r in study.sham.reader_results %}<tr><td>{{ r.reader }}</td><td>{{ r.mode }}</td><td class="n">{{ r.cases }}</td>
<td class="n">{{ r.sensitivity|share }}</td><td class="n">{{ r.specificity|share }}</td></tr>{% endfor %}
</tbody></table>{% endif %}
{% endif %}

{% if study.intra_reader %}
<h2>Agreement of readers with themselves</h2>
<table><thead><tr><th>Reader</th><th>Mode</th><th>Cases read twice</th><th>Same call (95 % CI, {{ analysis.method("Wilson") }})</th><th>{{ analysis.method("Cohen kappa") }} (95 % CI)</th>
<th>Mean change of score</th><th>Within-case SD of score</th></tr></thead><tbody>
{% for r in study.intra_reader %}<tr><td>{{ r.reader }}</td><td>{{ r.mode }}</td><td class="n">{{ r.cases }}</td>
<td class="n">{{ r.same_call|share }}{% if r.same_call and r.same_call.n %} ({{ r.same_call.wilson|ci }}){% endif %}</td>
<td class="n">{% if r.kappa %}{{ r.kappa.kappa|num }}{% if r.kappa.ci %} ({{ r.kappa.ci|ci }}){% endif %}{% else %}–{% endif %}</td>
<td class="n">{{ r.mean_change|num(1) }}</td><td class="n">{{ r.within_sd|num(1) }}</td></tr>
{% for sentence in r.sentences %}<tr><td></td><td colspan="6" class="said">{{ sentence }}</td></tr>{% endfor %}{% endfor %}
</tbody></table>
{% endif %}

{% if study.marks %}
<h2>Marks against the CNN's map</h2>
<p class="note">Two opinions about a place. Where a lesion truly lies is not known, so none of this is accuracy.</p>
<table><thead><tr><th>Reader</th><th>Mode</th><th>Map's peak on a mark (95 % CI, {{ analysis.method("Wilson") }})</th><th>Median overlap (intersection over union)</th></tr></thead><tbody>
{% for r in study.marks %}<tr><td>{{ r.reader }}</td><td>{{ r.mode }}</td><td class="n">{{ r.peak_on_mark|share }} ({{ r.peak_on_mark.wilson|ci }})</td>
<td class="n">{{ r.median_iou|num(2) }}</td></tr>{% endfor %}
</tbody></table>
{% endif %}
"""

RECORD = """\
<h2>{{ "Record and protocol" if study else "Where the numbers come from" }}</h2>
<table><tbody>
{% if provenance.file %}<tr><td>File</td><td>{{ provenance.file }}</td></tr>{% endif %}
{% if provenance.sha256 %}<tr><td>SHA-256</td><td><code>{{ provenance.sha256 }}</code></td></tr>{% endif %}
{% for name, value in provenance.versions.items() %}<tr><td>{{ name }}</td><td>{{ value }}</td></tr>{% endfor %}
{% if study %}
<tr><td>SHA-256 of the protocol</td><td><code>{{ study.dossier.protocol_sha256 }}</code></td></tr>
<tr><td>Commitment to the truth</td><td><code>{{ study.dossier.protocol.truth_commitment }}</code></td></tr>
<tr><td>SHA-256 of the case list</td><td><code>{{ study.dossier.protocol.cases_sha256 }}</code></td></tr>
{% endif %}
{% for head in provenance.record_heads %}<tr><td>Head of the record</td><td><code>{{ head }}</code></td></tr>{% endfor %}
{% for problem in provenance.record_problems %}<tr><td>Problem of the record</td><td>{{ problem }}</td></tr>{% endfor %}
</tbody></table>
{% if study %}
<h3>Ends of the chains</h3>
<p class="note">The last event of each machine's chain. A record that no longer reaches one of them was cut off; <code>verify --head</code> finds it.</p>
<table><thead><tr><th>Whose</th><th>Device</th><th>Event</th><th>Hash</th></tr></thead><tbody>
{% for end in study.dossier.ends %}<tr><td>{{ end.owner }}</td><td><code>{{ end.head.device }}</code></td><td class="n">{{ end.head.seq }}</td><td><code>{{ end.head.hash }}</code></td></tr>{% endfor %}
</tbody></table>
{% if study.dossier.problems %}<p><strong>The record does not hold together:</strong> see the head of this report.</p>
{% else %}<p>Chains, hashes and signatures were checked and fit.</p>{% endif %}
<h3>The protocol as it was hashed</h3>
<pre>{{ protocol_text }}</pre>
{% endif %}
"""
