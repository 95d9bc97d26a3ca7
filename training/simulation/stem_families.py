"""Families of stems by their silhouettes, and which of them training may see."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StemFamily:
    """Half widths in mm about the shaft's axis at depths below the shoulder; depth is the AP radius."""

    name: str
    cemented: bool
    length_mm: tuple[float, float]
    lateral: tuple[tuple[float, float], ...]  # (depth as a share of the length, half width)
    medial: tuple[tuple[float, float], ...]
    depth_mm: tuple[float, float]
    material: str
    fill: float = 1.0  # of the canal, distally (cementless)
    collar_mm: float = 0.0
    bow_mm: float = 0.0
    neck_mm: float = 6.0  # half width
    tip: float = 1.0  # roundness
    heads_mm: tuple[float, ...] = (28.0, 32.0, 36.0)


FAMILIES: dict[str, StemFamily] = {
    family.name: family
    for family in (
        StemFamily(
            "straight_taper", False, (125, 160),
            ((0, 6.5), (0.08, 8.5), (0.3, 8.6), (0.6, 7.4), (1, 5.0)),
            ((0.09, 21.0), (0.18, 16.0), (0.3, 12.0), (0.45, 9.5), (0.7, 7.4), (1, 5.0)),
            (6.5, 9.0), "titanium", 0.93, heads_mm=(28.0, 32.0, 36.0, 40.0),
        ),
        StemFamily(
            "anatomic", False, (118, 150),
            ((0, 7.0), (0.1, 10.5), (0.3, 10.5), (0.55, 8.5), (1, 6.0)),
            ((0.1, 24.0), (0.2, 19.0), (0.34, 13.5), (0.5, 9.5), (0.75, 7.5), (1, 6.0)),
            (7.5, 10.0), "titanium", 1.0, bow_mm=3.0,
        ),
        StemFamily(
            "collared", False, (115, 155),
            ((0, 6.0), (0.06, 8.0), (0.3, 8.2), (0.6, 6.6), (1, 4.0)),
            ((0.1, 21.0), (0.2, 15.5), (0.35, 11.0), (0.5, 8.4), (0.75, 6.4), (1, 4.0)),
            (6.5, 8.5), "titanium", 0.88, collar_mm=7.0, heads_mm=(28.0, 32.0, 36.0, 40.0),
        ),
        StemFamily(
            "short", False, (85, 108),
            ((0, 6.0), (0.12, 8.0), (0.4, 8.2), (0.7, 7.0), (1, 4.5)),
            ((0.13, 22.0), (0.26, 17.0), (0.45, 12.0), (0.7, 8.0), (1, 4.5)),
            (7.0, 9.0), "titanium", 0.9, heads_mm=(28.0, 32.0, 36.0),
        ),
        StemFamily(
            "polished_taper", True, (125, 155),
            ((0, 5.0), (0.05, 7.2), (0.3, 6.4), (0.65, 5.0), (1, 3.0)),
            ((0.1, 15.0), (0.2, 11.5), (0.4, 8.2), (0.7, 5.6), (1, 3.0)),
            (5.0, 6.5), "cobalt", heads_mm=(22.0, 26.0, 28.0, 32.0, 36.0),
        ),
        StemFamily(
            "composite_beam", True, (112, 140),
            ((0, 5.5), (0.08, 7.5), (0.3, 6.8), (0.65, 5.2), (1, 3.8)),
            ((0.1, 14.0), (0.2, 11.0), (0.38, 8.0), (0.7, 5.6), (1, 3.8)),
            (4.6, 6.2), "cobalt", bow_mm=1.5, neck_mm=5.4, tip=1.0, heads_mm=(22.0, 22.0, 26.0, 28.0),
        ),
        StemFamily(
            "long", True, (165, 188),
            ((0, 5.5), (0.05, 7.5), (0.3, 6.8), (0.65, 5.4), (1, 3.6)),
            ((0.08, 16.0), (0.16, 12.0), (0.35, 8.4), (0.7, 5.8), (1, 3.6)),
            (5.0, 6.6), "cobalt", heads_mm=(26.0, 28.0, 32.0, 36.0),
        ),
        StemFamily(
            "rectangular_taper", False, (130, 165),
            ((0, 9.5), (0.1, 10.5), (0.3, 9.2), (0.6, 7.2), (1, 3.2)),
            ((0.09, 19.0), (0.2, 14.5), (0.35, 10.8), (0.6, 7.8), (1, 3.2)),
            (5.0, 6.8), "titanium", 0.97, tip=0.6, heads_mm=(28.0, 32.0, 36.0),
        ),
        StemFamily(
            "neck_preserving", False, (66, 88),
            ((0, 4.5), (0.2, 6.4), (0.5, 7.0), (0.8, 6.2), (1, 4.2)),
            ((0.14, 19.0), (0.3, 15.5), (0.5, 11.5), (0.75, 8.0), (1, 4.2)),
            (6.5, 8.2), "titanium", 0.9, bow_mm=3.0, heads_mm=(28.0, 32.0, 36.0, 40.0),
        ),
        StemFamily(
            "cemented_curved", True, (108, 135),
            ((0, 5.0), (0.06, 7.8), (0.3, 7.2), (0.65, 5.6), (1, 4.0)),
            ((0.1, 16.0), (0.2, 12.5), (0.4, 8.8), (0.7, 6.2), (1, 4.0)),
            (4.8, 6.4), "cobalt", collar_mm=5.0, bow_mm=5.0, neck_mm=6.5, heads_mm=(22.0, 28.0, 32.0),
        ),
        StemFamily(
            "cemented_straight", True, (125, 165),
            ((0, 6.0), (0.05, 7.0), (0.35, 6.8), (0.7, 6.0), (1, 4.6)),
            ((0.08, 13.0), (0.18, 10.2), (0.4, 8.0), (0.7, 6.4), (1, 4.6)),
            (4.4, 5.8), "titanium", neck_mm=6.2, tip=0.7, heads_mm=(28.0, 32.0),
        ),
        # Kept for the shifted set: never drawn otherwise.
        StemFamily(
            "cylindrical", False, (145, 175),
            ((0, 6.5), (0.08, 8.6), (0.3, 8.4), (0.55, 7.8), (1, 7.4)),
            ((0.1, 23.0), (0.2, 16.5), (0.32, 10.5), (0.45, 8.2), (0.7, 7.6), (1, 7.4)),
            (7.5, 8.5), "cobalt", 1.0, collar_mm=4.0, tip=0.8,
        ),
        StemFamily(
            "lateral_flare", False, (95, 125),
            ((0, 8.0), (0.1, 13.5), (0.3, 12.0), (0.55, 8.0), (1, 4.5)),
            ((0.12, 23.5), (0.24, 18.0), (0.4, 12.0), (0.6, 8.4), (1, 4.5)),
            (8.0, 10.5), "titanium", 0.9, bow_mm=2.0,
        ),
        StemFamily(
            "cemented_anatomic", True, (130, 160),
            ((0, 6.0), (0.08, 8.6), (0.3, 8.0), (0.65, 6.0), (1, 4.4)),
            ((0.1, 17.0), (0.2, 13.5), (0.4, 9.4), (0.7, 6.4), (1, 4.4)),
            (5.5, 7.0), "cobalt", collar_mm=6.0, bow_mm=4.0, heads_mm=(28.0, 32.0),
        ),
        StemFamily(
            "cone", False, (112, 142),
            ((0, 5.5), (0.1, 7.0), (0.35, 7.6), (0.7, 6.4), (1, 4.2)),
            ((0.1, 17.5), (0.2, 12.0), (0.35, 8.8), (0.7, 6.6), (1, 4.2)),
            (7.0, 8.5), "titanium", 1.0, tip=0.7, heads_mm=(28.0, 32.0, 36.0),
        ),
    )
}  # fmt: skip
SHIFTED_FAMILIES = ("cylindrical", "lateral_flare", "cemented_anatomic", "cone")
TRAINING_FAMILIES = tuple(name for name in FAMILIES if name not in SHIFTED_FAMILIES)


def stem_families_for(cemented: bool | None, shifted: bool) -> tuple[str, ...]:
    names = SHIFTED_FAMILIES if shifted else TRAINING_FAMILIES
    return tuple(n for n in names if cemented is None or FAMILIES[n].cemented == cemented)
