"""`python -m training insert`: real hips with lines of known place, beside their unaltered originals, as training shards.

Each hip gives its original and a number of variants that differ from it in one or two lines only. Every variant's record
names its original, so that training and evaluation can compare the two.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from tqdm import tqdm

from inference.lucency_net import AUXILIARY, COMPONENTS, LANDMARKS, SUITABILITY, LucencyNet
from inference.model_bundle import LUCENCY_NET, load_bundle
from inference.networks import load_network
from training.dataset import CACHE_SIZE, MASK_SIZE, MASKS, Hip, any_pool, as_bytes, write_shard
from training.fit import load_network as load_checkpoint
from training.insertion.films import CutHip, cut, read_films, read_grey, regions
from training.insertion.lines import BORDERLINE, Drawn, Film, Line, draw, film_of, plan, sham
from training.insertion.outlines import Distance, Interface, Outlines, distance_from, outlines

U8 = npt.NDArray[np.uint8]
F32 = npt.NDArray[np.float32]

BAND_MM = 5.0  # width of the interface band, outward
MIN_VISIBLE_SHARE = 0.5  # of a loose line: less, and it is drawn again more plainly
PSEUDO_CONFIDENCE = 0.5  # from here on the network's own landmark stands in for one that nobody has marked
# Variants of one hip: (kind, components). Each is drawn so many times.
PLAN: tuple[tuple[str, tuple[str, ...], int], ...] = (
    ("loose", ("stem",), 4),
    ("loose", ("cup",), 4),
    ("loose", ("stem", "cup"), 2),
    ("partial", ("stem",), 2),
    ("partial", ("cup",), 1),
    ("lookalike", ("stem",), 1),
    ("lookalike", ("cup",), 1),
    ("lookalike", ("stem", "cup"), 1),
    ("sham", ("stem",), 1),
    ("sham", ("cup",), 1),
)


def load_lucency_net(path: Path) -> LucencyNet:
    """The network of a bundle folder, or of a checkpoint of `fit`."""
    network = load_network(load_bundle(path)).network if path.is_dir() else load_checkpoint(path, LUCENCY_NET)
    if not isinstance(network, LucencyNet):
        raise ValueError(f"“{path.name}” is no {LUCENCY_NET}.")
    return network.eval()


def targets(hip: CutHip) -> F32:
    """What the gate should say, in the order of SUITABILITY; nan where it is not asked."""
    film = hip.film
    nan = np.nan
    known = dict.fromkeys(SUITABILITY, nan)
    known["implant"], known["ap_view"] = float(bool(film.implant)), 1.0
    if film.implant:
        known["has_stem"] = float(film.implant != "resurfacing")
        known["has_cup"] = float(film.implant != "hemi")
        if film.implant != "resurfacing":
            known["stem_complete"] = {1: 0.0, 2: 1.0}.get(film.stem_visible, nan)
            known["cemented"] = {"cemented": 1.0, "cementless": 0.0}.get(film.fixation, nan)
        if film.implant != "hemi":
            known["cup_complete"] = {1: 0.0, 2: 1.0}.get(film.cup_visible, nan)
    return np.array([known[name] for name in SUITABILITY], np.float32)


def base_labels(hip: CutHip) -> F32:
    """(loose, stem, cup) of the unaltered film: fixed where a person saw no line in a complete part, else unknown."""
    seen_fixed = hip.film.lucency_seen == "no" and hip.film.implant in ("thr", "hemi")
    stem = 0.0 if seen_fixed and hip.film.stem_visible == 2 else np.nan
    cup = 0.0 if seen_fixed and hip.film.implant == "thr" and hip.film.cup_visible == 2 else np.nan
    return np.array([combined(stem, cup), stem, cup], np.float32)


def combined(stem: float, cup: float) -> float:
    """Of the hip: the looser of its parts; unknown where a part is that could still be loose."""
    known = [part for part in (stem, cup) if np.isfinite(part)]
    if known and max(known) == 1.0:
        return 1.0
    return max(known) if len(known) == 2 else np.nan


def _band(
    hip: CutHip, interface: Interface | None, network_band: F32, metal: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    if interface is None:
        return (network_band > 0.5) & ~metal
    near = distance_from(interface, hip.mm_px)
    inside = (near.outward_mm >= -0.3) & (near.outward_mm <= BAND_MM)
    plane = np.zeros((CACHE_SIZE, CACHE_SIZE), bool)
    plane[near.rows[inside], near.cols[inside]] = True
    return plane & ~metal


def masks(hip: CutHip, found: Outlines, drawn: dict[str, list[npt.NDArray[np.bool_]]]) -> U8:
    """(MASK_SIZE, MASK_SIZE) bit planes in the order of MASKS."""
    nothing = np.zeros((CACHE_SIZE, CACHE_SIZE), bool)
    metal = found.metal if hip.film.implant else nothing
    bands = {}
    for component in COMPONENTS:
        interface = found.stem if component == "stem" else found.cup
        network_band = found.dense[AUXILIARY.index(f"{component}_interface")]
        bands[component] = _band(hip, interface, network_band, metal) if hip.film.implant else nothing
    planes = {
        "implant": metal,
        **{f"{name}_interface": band for name, band in bands.items()},
        **{f"{name}_lucency": np.logical_or.reduce([nothing, *drawn.get(name, [])]) for name in COMPONENTS},
    }
    out = np.zeros((MASK_SIZE, MASK_SIZE), np.uint8)
    for bit, name in enumerate(MASKS):
        out |= any_pool(planes[name], (0.0, 0.0, float(CACHE_SIZE)), MASK_SIZE).astype(np.uint8) << bit
    return out


def landmarks(hip: CutHip, found: Outlines) -> F32:
    """The marked landmarks, and the network's own where nobody has marked one and it is sure."""
    points = hip.landmarks.copy()
    if hip.film.implant != "thr":
        return points
    for index in range(len(LANDMARKS)):
        if np.isinf(points[index]).all() and found.placed[index, 2] >= PSEUDO_CONFIDENCE:
            points[index] = found.placed[index, :2]
    return points


def _drawn_plainly(
    rng: np.random.Generator, film: Film, hip: CutHip, interface: Interface, near: Distance, kind: str
) -> tuple[Line, Drawn] | None:
    """A line of that kind that can be seen, and whose label is what the kind promises; None where that fails."""
    for _ in range(6):
        line = plan(rng, hip, interface, kind)
        wanted = {"loose": line.label() == 1.0, "partial": line.label() == BORDERLINE, "lookalike": line.label() == 0.0}
        if not wanted[kind]:
            continue
        drawn = draw(rng, film, hip, interface, line, near)
        if kind == "lookalike" or drawn.visible_share >= MIN_VISIBLE_SHARE:
            return line, drawn
    return None


def _line_record(line: Line, interface: Interface, drawn: Drawn) -> dict[str, object]:
    return {
        "component": line.component,
        "label": line.label(),
        "clearness": line.clearness,
        "contrast": round(line.contrast, 3),
        "widest_mm": round(float(line.width_mm.max()), 2),
        "coverage": round(line.coverage, 3),
        "visible_share": round(drawn.visible_share, 3),
        "zones": sorted({str(zone) for zone in interface.zone[line.width_mm >= 0.5]}),
        "offset_mm": round(float(line.offset_mm.mean()), 2),
    }


def variants(rng: np.random.Generator, hip: CutHip, found: Outlines, draws: int) -> Iterator[Hip]:
    """The original, and every variant that this hip allows, `draws` times over."""
    points, gate = landmarks(hip, found), targets(hip)
    film = hip.film
    about: dict[str, object] = {
        "film": film.name,
        "group": film.group,
        "film_kind": film.kind,
        "implant": film.implant,
        "fixation": film.fixation,
        "stem_visible": film.stem_visible,
        "cup_visible": film.cup_visible,
        "lucency_seen": film.lucency_seen,
        "hip_suitability": "suitable"
        if film.implant in ("thr", "hemi")
        else "resurfacing"
        if film.implant
        else "native",
        "source": "inserted",
        "head_px": [round(16.0 * scale, 2) for scale in hip.mm_px],
    }
    base = base_labels(hip)
    yield Hip(as_bytes(hip.grey), masks(hip, found, {}), base, gate, points, about | {"variant": "original"})
    interfaces = {
        component: (interface, distance_from(interface, hip.mm_px))
        for component, interface in zip(COMPONENTS, (found.stem, found.cup), strict=True)
        if interface is not None
    }
    if not interfaces:
        return
    seen = film_of(hip, found)
    for kind, components, times in PLAN * draws:
        for _ in range(times):
            made = _variant(rng, hip, seen, interfaces, kind, components)
            if made is None:
                continue
            grey, lines, drawn_masks = made
            labels = base.copy()
            for component, line in zip(components, lines, strict=True):
                value = 0.0 if kind in ("sham", "lookalike") else float(str(line["label"]))
                at = 1 + COMPONENTS.index(component)
                # A look-alike or a sham on a film whose own state is unknown leaves it unknown.
                labels[at] = labels[at] if value == 0.0 else value
            labels[0] = combined(float(labels[1]), float(labels[2]))
            yield Hip(
                as_bytes(grey), masks(hip, found, drawn_masks), labels, gate, points,
                about | {"variant": kind, "components": list(components), "lines": lines},
            )  # fmt: skip


def _variant(
    rng: np.random.Generator,
    hip: CutHip,
    seen: Film,
    interfaces: dict[str, tuple[Interface, Distance]],
    kind: str,
    components: tuple[str, ...],
) -> tuple[F32, list[dict[str, object]], dict[str, list[npt.NDArray[np.bool_]]]] | None:
    grey, lines, drawn_masks = hip.grey, [], {}
    for component in components:
        if component not in interfaces:
            return None
        interface, near = interfaces[component]
        now = Film(grey, seen.soft_metal, seen.bone, seen.dark, seen.noise, seen.blur_px)
        if kind == "sham":
            line = plan(rng, hip, interface, "loose")
            line, shift_mm = sham(rng, line)
            drawn = draw(rng, now, hip, interface, line, near, shift_mm)
        else:
            made = _drawn_plainly(rng, now, hip, interface, near, kind)
            if made is None:
                return None
            line, drawn = made
            if kind != "lookalike":
                drawn_masks[component] = [ndimage.binary_dilation(drawn.mask)]
        grey = drawn.grey
        lines.append(_line_record(line, interface, drawn))
    return grey, lines, drawn_masks


def insert(films: Path, network: LucencyNet, folder: Path, *, seed: int, draws: int, kinds: tuple[str, ...]) -> int:
    """Write one shard per film; those that exist are kept. Returns how many hips were written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    by_path: dict[Path, list[CutHip]] = {}
    for film in read_films(films):
        if film.kind not in kinds:
            continue
        pixels = read_grey(film.path)
        by_path.setdefault(film.path, []).extend(
            cut(film, pixels, region) for region in regions(film, (pixels.shape[0], pixels.shape[1]))
        )
    for number, (path, hips) in enumerate(tqdm(sorted(by_path.items()), unit="film", file=sys.stderr)):
        target = folder / f"shard-{seed}-{number:05d}.npz"
        if target.is_file() or not hips:
            continue
        rng = np.random.default_rng([seed, int(hashlib.sha256(path.name.encode()).hexdigest()[:8], 16)])
        made = [one for hip in hips for one in variants(rng, hip, outlines(network, hip), draws)]
        written += len(made)
        write_shard(target, made, [])
    return written


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("insert", help="insert radiolucent lines into real radiographs")
    parser.add_argument("--films", type=Path, required=True, help="folder of real films with its seen.csv")
    parser.add_argument(
        "--network", type=Path, required=True, help="bundle folder or checkpoint that outlines implants"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--draws", type=int, default=1, help="how many times over the variants are drawn")
    parser.add_argument("--kinds", nargs="+", default=["crop", "pelvis", "native"])
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    written = insert(
        arguments.films, load_lucency_net(arguments.network), arguments.out,
        seed=arguments.seed, draws=arguments.draws, kinds=tuple(arguments.kinds),
    )  # fmt: skip
    print(json.dumps({"hips": written, "folder": str(arguments.out)}))  # noqa: T201 the command's answer
    return 0
