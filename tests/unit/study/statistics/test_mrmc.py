"""Multi-reader multi-case analyses: by hand, by their symmetries, and against published data sets."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.statistics.covariance import Covariance, Merit, estimate
from study.statistics.obuchowski_rockette import analyse_crossed, non_inferiority
from study.statistics.one_against_many import compare_one_against_many
from study.statistics.roc import NotEstimableError
from study.statistics.sizing import Pilot, cases_for_power, power
from study.statistics.ustatistics import analyse_any_design
from tests.unit.study.statistics.expected import check, load, matches


def simulated(seed: int, modes: int = 2, readers: int = 4, cases: int = 30) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = np.arange(cases) < cases // 3
    case = rng.normal(size=cases) + 1.2 * truth
    skill = rng.normal(size=(modes, readers, 1)) * 0.2
    return truth, np.round(2 * (case + skill * truth + rng.normal(size=(modes, readers, cases))))


def crossed(truth, scores, method=Covariance.JACKKNIFE, merit=Merit.AUC, cluster=None, modes=None, readers=None):
    i, j, n = scores.shape
    estimates = estimate(truth, scores.reshape(i * j, n), merit, method, cluster)
    shape = (i, j)
    return analyse_crossed(
        estimates.values.reshape(shape),
        estimates.covariance.reshape(shape + shape),
        modes or [str(k + 1) for k in range(i)],
        readers or [str(k + 1) for k in range(j)],
        method,
    )


def jackknife_by_deletion(truth, scores):
    """The slow definition: leave each case out and compute again."""
    i, j, n = scores.shape
    flat = scores.reshape(i * j, n)
    left_out = np.array([estimate(np.delete(truth, k), np.delete(flat, k, axis=1)).values for k in range(n)])
    return np.cov(left_out.T) * (n - 1) ** 2 / n


@given(st.integers(0, 10_000))
def test_jackknife_equals_leaving_each_case_out(seed):
    truth, scores = simulated(seed, readers=2, cases=12)
    fast = estimate(truth, scores.reshape(4, -1)).covariance
    assert fast == pytest.approx(jackknife_by_deletion(truth, scores), abs=1e-12)


@given(st.integers(0, 10_000))
def test_symmetries(seed):
    truth, scores = simulated(seed)
    first = crossed(truth, scores)
    rng = np.random.default_rng(seed)
    reader_order, case_order = rng.permutation(scores.shape[1]), rng.permutation(truth.size)
    relabelled = crossed(truth[case_order], scores[:, reader_order][:, :, case_order])
    swapped = crossed(truth, scores[::-1])
    rescaled = crossed(truth, np.exp(scores / 4))
    for other, sign in ((relabelled, 1), (swapped, -1), (rescaled, 1)):
        one, two = first.random_readers_random_cases, other.random_readers_random_cases
        assert one.p == pytest.approx(two.p, rel=1e-6)
        assert one.differences[0].difference == pytest.approx(sign * two.differences[0].difference)
    one, two = analyse_any_design(truth, scores, ["a", "b"]), analyse_any_design(truth, scores[::-1], ["b", "a"])
    assert one.differences[0].variance == pytest.approx(two.differences[0].variance)
    assert one.differences[0].difference == pytest.approx(-two.differences[0].difference)


@given(st.integers(0, 10_000))
def test_two_roads_to_the_unbiased_variance(seed):
    """For a crossed design, U-statistics and Obuchowski-Rockette with unbiased covariances give one variance, unless
    Hillis' rule cut a negative reader variance at zero."""
    truth, scores = simulated(seed)
    parts = crossed(truth, scores, Covariance.UNBIASED)
    if parts.components.cov2 < parts.components.cov3:
        return
    u = analyse_any_design(truth, scores, ["1", "2"]).differences[0]
    assert u.variance == pytest.approx(parts.random_readers_random_cases.differences[0].se ** 2, rel=1e-9)


def test_each_case_its_own_cluster_is_delong():
    truth, scores = simulated(3)
    flat = scores.reshape(8, -1)
    clustered = estimate(truth, flat, method=Covariance.CLUSTERED, cluster=np.arange(truth.size)).covariance
    assert clustered == pytest.approx(estimate(truth, flat, method=Covariance.DELONG).covariance)


def test_degenerate_studies_get_sentences():
    truth, scores = simulated(1)
    with pytest.raises(NotEstimableError, match="One reader supports no claim"):
        crossed(truth, scores[:, :1])
    with pytest.raises(NotEstimableError, match="One reader supports no claim"):
        compare_one_against_many(truth, scores[0, 0], scores[0, 1:2])
    with pytest.raises(NotEstimableError, match="at least two readers"):
        analyse_any_design(truth, scores[:, :1], ["a", "b"])
    perfect = np.broadcast_to(truth.astype(float), scores.shape)
    result = crossed(truth, perfect).random_readers_random_cases
    assert result.p is None
    assert "no test is possible" in result.caution
    same = np.repeat(scores[:, :1], 3, axis=1)
    identical = crossed(truth, same).random_readers_random_cases
    assert identical.p is None or 0 <= identical.p <= 1
    with pytest.raises(NotEstimableError, match="Both loose and not loose"):
        analyse_any_design(np.ones(5, bool), np.zeros((2, 2, 5)), ["a", "b"])


def test_non_inferiority_is_one_sided():
    truth, scores = simulated(5)
    difference = crossed(truth, scores).random_readers_random_cases.differences[0]
    wide, narrow = non_inferiority(difference, 0.5), non_inferiority(difference, 0.0)
    assert wide < narrow
    with pytest.raises(ValueError, match="not negative"):
        non_inferiority(difference, -0.1)


def test_power_grows_with_readers_cases_and_effect():
    pilot = Pilot(0.0002, 0.0008, 0.00035, 0.00034, 0.00024, 100)
    assert power(pilot, 5, 100, 0.05).power < power(pilot, 10, 100, 0.05).power < power(pilot, 10, 200, 0.05).power
    needed = cases_for_power(pilot, 6, 0.05)
    assert power(pilot, 6, needed, 0.05).power >= 0.8 > power(pilot, 6, needed - 1, 0.05).power
    assert cases_for_power(Pilot(0.02, 0.0008, 0.00035, 0.00034, 0.00024, 100), 3, 0.01) is None


# ------------------------------------------------------------------------------------------------ published data sets


def read_long(folder, name):
    with (folder / f"{name}.csv").open() as file:
        rows = list(csv.DictReader(file))
    modes, readers = (sorted({row[key] for row in rows}) for key in ("treatment", "reader"))
    cases = list(dict.fromkeys(row["case"] for row in rows))
    scores, truth = np.full((len(modes), len(readers), len(cases)), np.nan), np.zeros(len(cases), bool)
    position = {case: index for index, case in enumerate(cases)}
    for row in rows:
        index = position[row["case"]]
        scores[modes.index(row["treatment"]), readers.index(row["reader"]), index] = float(row["rating"])
        truth[index] = row["truth"] == "1"
    return truth, scores, modes, readers


def crossed_numbers(truth, scores, modes, readers):
    out = {}
    for key, method in (("jk", Covariance.JACKKNIFE), ("delong", Covariance.DELONG), ("unbiased", Covariance.UNBIASED)):
        analysis = crossed(truth, scores, method, modes=modes, readers=readers)
        parts, both = analysis.components, analysis.random_readers_random_cases
        prefix = f"or.{key}."
        out |= {
            prefix + "Var": parts.var,
            prefix + "Cov1": parts.cov1,
            prefix + "Cov2": parts.cov2,
            prefix + "Cov3": parts.cov3,
        }
        out |= {prefix + "VarR": parts.var_reader, prefix + "VarTR": parts.var_interaction}
        out |= inference_numbers(f"{prefix}RRRC.", both) | {prefix + "RRRC.ndf": both.numerator_df}
        for mean in both.means:
            out |= {f"{prefix}RRRC.mean.t{mean.mode}": mean.mean, f"{prefix}RRRC.mean_se.t{mean.mode}": mean.se}
            out |= {f"{prefix}RRRC.mean_df.t{mean.mode}": mean.df, f"{prefix}RRRC.mean_lo.t{mean.mode}": mean.ci[0]}
            out |= {f"{prefix}RRRC.mean_hi.t{mean.mode}": mean.ci[1]}
        fixed = analysis.fixed_readers_random_cases
        out |= {prefix + "FRRC.X2": fixed.statistic, prefix + "FRRC.p": fixed.p}
        for reader, difference in analysis.reader_differences:
            name = f"{prefix}FRRC.reader{reader}."
            out |= {name + "diff": difference.difference, name + "se": difference.se, name + "p": difference.p}
        rrfc = analysis.random_readers_fixed_cases
        out |= {"or.RRFC.F": rrfc.statistic, "or.RRFC.ddf": rrfc.denominator_df, "or.RRFC.p": rrfc.p}
        out |= {"or.MS_T": parts.ms_mode, "or.MS_TR": parts.ms_interaction, "or.MS_R": parts.ms_reader}
    values = estimate(truth, scores.reshape(-1, truth.size)).values.reshape(scores.shape[:2])
    return out | {f"auc.t{m}.r{r}": values[i, j] for i, m in enumerate(modes) for j, r in enumerate(readers)}


def inference_numbers(prefix, inference):
    difference = inference.differences[0]
    return {
        prefix + "F": inference.statistic,
        prefix + "ddf": inference.denominator_df,
        prefix + "p": inference.p,
        prefix + "diff": difference.difference,
        prefix + "se": difference.se,
        prefix + "ci_low": difference.ci[0],
        prefix + "ci_high": difference.ci[1],
    }


def u_numbers(truth, scores, modes):
    analysis, out = analyse_any_design(truth, scores, modes), {}
    for mode in analysis.modes:
        out |= {f"ustat.auc.{mode.mode}": mode.auc, f"ustat.var.{mode.mode}": mode.variance}
    for d in analysis.differences:
        prefix = f"ustat.{d.first}-{d.second}."
        out |= {prefix + "diff": d.difference, prefix + "var": d.variance, prefix + "mle_var": d.variance_mle}
        out |= {prefix + "se": d.se, prefix + "df_bdg": d.df, prefix + "p_normal": d.p_normal, prefix + "p_bdg": d.p_t}
        out |= {prefix + "ci_low": d.ci and d.ci[0], prefix + "ci_high": d.ci and d.ci[1]}
    return out


def test_published_van_dyke(stats_cases):
    truth, scores, modes, readers = read_long(stats_cases, "vandyke")
    computed = crossed_numbers(truth, scores, modes, readers) | u_numbers(truth, scores, modes)
    for merit in (Merit.SENSITIVITY, Merit.SPECIFICITY):
        calls = (scores >= 3).astype(float)
        inference = crossed(truth, calls, merit=merit).random_readers_random_cases
        computed |= inference_numbers(f"binary>=3.{merit}.or_jk.", inference)
        values = estimate(truth, calls.reshape(-1, truth.size), merit).values.reshape(scores.shape[:2])
        computed |= {f"binary>=3.{merit}.t{i + 1}.r{j + 1}": values[i, j] for i in range(2) for j in range(5)}
    analysis = crossed(truth, scores)
    # Dorfman-Berbaum-Metz with Hillis' denominators is the same test as Obuchowski-Rockette with jackknife covariances.
    computed |= {f"dbm.RRRC.{key}": computed[f"or.jk.RRRC.{key}"] for key in ("F", "ddf", "p")}
    difference = analysis.random_readers_random_cases.differences[0]
    turned = replace(difference, difference=-difference.difference)
    computed["noninferiority.t2_minus_t1.margin0.05.p_one_sided"] = non_inferiority(turned, 0.05)
    pilot = Pilot.from_components(analysis.components, truth.size)
    planned = power(pilot, 6, 251, 0.05)
    prefix = "power.or.J6.K251.effect0.05."
    computed |= {
        prefix + "power": planned.power,
        prefix + "ncp": planned.noncentrality,
        prefix + "ddf": planned.denominator_df,
    }
    computed["power.or.J6.effect0.05.K_for_80pct"] = cases_for_power(pilot, 6, 0.05)
    computed["power.or.J10.observed_effect.K_for_80pct"] = cases_for_power(pilot, 10, difference.difference)
    check(stats_cases, "vandyke", computed)


def test_published_franken(stats_cases):
    truth, scores, modes, readers = read_long(stats_cases, "franken")
    numbers = u_numbers(truth, scores, modes)
    check(stats_cases, "franken", crossed_numbers(truth, scores, modes, readers) | numbers)
    assert numbers["ustat.1-2.p_bdg"] is None
    assert analyse_any_design(truth, scores, modes).differences[0].caution


@pytest.mark.parametrize("name", ["imrmc_sim_R2", "imrmc_sim_R3", "imrmc_sim_R4"])
def test_published_roe_metz_simulations(stats_cases, name):
    truth, scores, modes, _ = read_long(stats_cases, name)
    check(stats_cases, name, u_numbers(truth, scores, modes))


def test_published_partially_paired(stats_cases):
    truth, scores, modes, _ = read_long(stats_cases, "kundel")
    computed = u_numbers(truth, scores, modes)
    expected = load(stats_cases, "kundel_partially_paired")
    wrong = [
        name for name, entry in expected.items() if name.startswith("ustat") and not matches(entry, computed.get(name))
    ]
    assert not wrong


def test_published_split_plot(stats_cases):
    with (stats_cases / "viper_challengeHighP.csv").open() as file:
        rows = list(csv.DictReader(file))
    readers, modes, cases = (sorted({row[key] for row in rows}) for key in ("readerID", "modalityID", "caseID"))
    shape = (len(modes), len(readers), len(cases))
    scores, calls, truth = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(len(cases), bool)
    for row in rows:
        where = (modes.index(row["modalityID"]), readers.index(row["readerID"]), cases.index(row["caseID"]))
        scores[where], calls[where], truth[where[2]] = float(row["score"]), float(row["recall"]), row["truth"] == "1"
    computed = u_numbers(truth, scores, modes)
    for name, other_class in (("sensitivity", ~truth), ("specificity", truth)):
        # With the other class scored one half throughout, the AUC of calls is the sensitivity or the specificity.
        binary = calls.copy()
        binary[:, :, other_class] = np.where(np.isfinite(binary[:, :, other_class]), 0.5, np.nan)
        analysis = analyse_any_design(truth, binary, modes)
        computed |= {f"ustat.{name}.{mode.mode}": mode.auc for mode in analysis.modes}
        difference = analysis.differences[0]
        computed |= {f"ustat.{name}.diff": difference.difference, f"ustat.{name}.se": difference.se}
    check(stats_cases, "viper_challengeHighP", computed)


def test_published_clustered_mitoses(stats_cases):
    with (stats_cases / "mitosis_clustered_mrmc.csv").open() as file:
        rows = list(csv.DictReader(file))
    observers = [key for key in rows[0] if key.startswith("observer")]
    targets = sorted({row["targetID"] for row in rows})
    truth = {row["targetID"]: row["truth"] == "1" for row in rows}
    slide = {row["targetID"]: row["wsiName"] for row in rows}
    ratings = {(row["modalityID"], row["targetID"]): [float(row[name]) for name in observers] for row in rows}
    computed = {}
    for scanner in "ABCD":
        modes = ["microscope", f"scanner.{scanner}"]
        scores = np.array([[ratings[mode, target] for target in targets] for mode in modes]).transpose(0, 2, 1)
        inference = crossed(
            np.array([truth[target] for target in targets]),
            scores,
            Covariance.CLUSTERED,
            cluster=[slide[target] for target in targets],
            modes=modes,
        ).random_readers_random_cases
        computed |= {
            f"{scanner}.F": inference.statistic,
            f"{scanner}.ddf": inference.denominator_df,
            f"{scanner}.p": inference.p,
        }
        computed[f"{scanner}.se_diff"] = inference.differences[0].se
        for mean in inference.means:
            name = f"{scanner}.{mean.mode.replace('.', '')}"
            computed |= {f"{name}.auc": mean.mean, f"{name}.se": mean.se, f"{name}.df": mean.df}
    check(stats_cases, "mitosis_clustered_mrmc", computed)


def test_published_algorithm_against_radiologists(stats_cases):
    with (stats_cases / "cad_vs_radiologists.csv").open() as file:
        rows = list(csv.DictReader(file))
    names, cases = (list(dict.fromkeys(row[key] for row in rows)) for key in ("reader", "case"))
    scores, truth = np.zeros((len(names), len(cases))), np.zeros(len(cases), bool)
    for row in rows:
        scores[names.index(row["reader"]), cases.index(row["case"])] = float(row["rating"])
        truth[cases.index(row["case"])] = row["truth"] == "1"
    people = [name for name in names if name != "CAD"]
    result = compare_one_against_many(truth, scores[names.index("CAD")], scores[[names.index(name) for name in people]])
    computed = {"cad.auc": result.algorithm}
    computed |= {f"reader.{name}.auc": value for name, value in zip(people, result.readers, strict=True)}
    prefix = "1T_RRRC."
    computed |= {prefix + "reader_mean": result.reader_mean, prefix + "readers_minus_cad": result.difference}
    computed |= {
        prefix + "cov2_of_differences": result.cov2_of_differences,
        prefix + "df": result.df,
        prefix + "p": result.p,
    }
    computed |= {prefix + "ci_low": result.ci[0], prefix + "ci_high": result.ci[1]}
    computed |= {"1T_RRFC.t": result.t_fixed_cases, "1T_RRFC.p": result.p_fixed_cases}
    check(stats_cases, "cad_vs_radiologists", computed)
