"""One simulated radiograph from (seed, index): the scene, its exposure, its processing, its truth."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image
from scipy import ndimage

from imaging.geometry import HipRegion
from imaging.radiograph import Side
from imaging.zones import CUP_ZONES, GRUEN_ZONES
from training.simulation import anatomy, clutter, coverage, implants, loosening, overlays, physics, processing
from training.simulation.canvas import Canvas, Field
from training.simulation.implants import ComponentFields
from training.simulation.loosening import LINE_MM, SAMPLES, ComponentPlan
from training.simulation.options import DEFAULT, SimulationOptions
from training.simulation.truth import (
    ComponentTruth,
    Fixation,
    HipTruth,
    Label,
    Mask,
    Point,
    SimulatedRadiograph,
    Suitability,
    Truth,
)

MAX_ATTEMPTS = 5
VISIBLE_CNR = 1.5  # of one stretch of line, in the final image
VISIBLE_CONTRAST = 0.018  # of the display range
COUNTED_LINE_MM = 1.0  # lines wider than this are in the lucency mask

Stream = Callable[[str], np.random.Generator]


def streams(seed: int, index: int) -> Stream:
    """Random streams by name: what one of them draws never shifts another."""

    def stream(name: str) -> np.random.Generator:
        return np.random.default_rng([seed & 0xFFFFFFFF, index, zlib.crc32(name.encode())])

    return stream


@dataclass(frozen=True, eq=False)
class HipDesign:
    """One hip before anything is said about loosening."""

    side: Side
    replaced: bool
    stem: implants.StemDesign | None
    cup: implants.CupDesign | None
    stem_form: implants.StemShape | None
    femur: anatomy.FemurShape


@dataclass(frozen=True, eq=False)
class Frame:
    """The grid in the frame of the main hip, and the size of the final image."""

    canvas: Canvas
    rows: int
    cols: int

    @property
    def scale(self) -> tuple[float, float]:
        """final pixels per working pixel (x, y)"""
        return self.cols / self.canvas.cols, self.rows / self.canvas.rows

    def final_points(self, points: np.ndarray) -> np.ndarray:
        """Working pixels -> final pixels."""
        sx, sy = self.scale
        return (points + 0.5) * (sx, sy) - 0.5


@dataclass(eq=False)
class DrawnHip:
    design: HipDesign
    canvas: Canvas  # in this hip's pelvic frame
    stem_canvas: Canvas | None
    femur_canvas: Canvas
    stem_plan: ComponentPlan | None
    cup_plan: ComponentPlan | None
    stem_fields: ComponentFields | None
    cup_fields: ComponentFields | None
    head: tuple[float, float]
    cup_rims: dict[str, tuple[float, float]]
    head_mask: Mask | None
    extra: dict[str, float] = field(default_factory=dict)


def simulate(seed: int, index: int, options: SimulationOptions = DEFAULT) -> SimulatedRadiograph:
    """Image number `index` of the sequence `seed`: the same wherever and in whatever order it is made."""
    stream = streams(seed, index)
    kind = stream("kind")
    unsuitable, pelvis = kind.random() < options.unsuitable_share, kind.random() < options.pelvis_share
    wanted = options.suitability
    if wanted is None and unsuitable:
        from training.simulation import refused as negatives

        wanted = negatives.draw_kind(kind)
    if wanted not in (None, "suitable"):
        from training.simulation import refused as negatives

        return negatives.simulate_unsuitable(stream, Suitability(wanted), options, bool(pelvis))
    return _simulate_suitable(stream, options, bool(pelvis))


def draw_design(
    stream: Stream, options: SimulationOptions, patient: anatomy.Patient, side: Side, replaced: bool, name: str
) -> HipDesign:
    if not replaced:
        return HipDesign(side, False, None, None, None, anatomy.femur_shape(patient, native=True))
    rng = stream(f"implant {name}")
    cemented_roll, cut = rng.random(), rng.uniform(-3, 6)
    cemented = cemented_roll < 0.45 if options.fixation is None else options.fixation == "cemented"
    names = options.families or implants.stem_families_for(cemented, options.shifted)
    stem = implants.draw_stem(rng, names)
    cup = implants.draw_cup(rng, stem.head_mm, stem.family.cemented, patient, options.shifted)
    femur = anatomy.femur_shape(patient, native=False, cut_mm=float(cut))
    return HipDesign(side, True, stem, cup, implants.stem_shape(stem, patient, femur, rng), femur)


def frame_single(
    rng: np.random.Generator,
    design: HipDesign,
    patient: anatomy.Patient,
    options: SimulationOptions,
    bottom_mm: float,
    whole: bool = False,
    margins: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0),
) -> Frame:
    """The crop of one hip: head and cup near the top edge, the tip two thirds down or lower.

    As public crops are, some cut the cup's edge or the very tip, within what `coverage` calls whole; `margins` are
    the shares that collimation will hide. `whole` keeps the tip in the picture.
    """
    for attempt in range(12):
        frame = _propose_single(rng, design, patient, options, bottom_mm, whole or options.clean, attempt)
        if design.stem_form is None or design.cup is None:
            return frame
        femur = frame.canvas.framed(rotation_deg=-patient.adduction_deg)
        if coverage.missing(frame.canvas, femur, design.stem_form, design.cup, margins).plainly_whole:
            return frame
    return frame


def _propose_single(
    rng: np.random.Generator,
    design: HipDesign,
    patient: anatomy.Patient,
    options: SimulationOptions,
    bottom_mm: float,
    whole: bool,
    attempt: int,
) -> Frame:
    """Wider with every attempt."""
    tight = rng.random() < 0.5
    cut = rng.random() < 0.25 and not whole
    more = 4.0 * attempt
    reach = 26.0 * patient.size + 5
    top = -reach - (rng.uniform(-16, 4) if cut else rng.uniform(-3, 14) if tight else rng.uniform(8, 70)) - more
    bottom = bottom_mm + more + (rng.uniform(8, 40) if tight else rng.uniform(15, 90))
    if cut and rng.random() < 0.6:
        bottom = bottom_mm + rng.uniform(-0.07, 0.03) * max(bottom_mm - 20.0, 1.0) + more
    medial = -reach - (rng.uniform(-12, 20) if cut else rng.uniform(-3, 40) if tight else rng.uniform(15, 85)) - more
    lateral = patient.shaft_x_mm + 26 + more + (rng.uniform(4, 40) if tight else rng.uniform(20, 95))
    rotation = float(np.clip(rng.normal(0, 4.5), -14, 14))
    squash = float(np.exp(rng.normal(0, 0.17))) if rng.random() < 0.4 and not options.clean else 1.0
    low, high = (medial, top), (lateral, bottom)
    if design.stem_form is not None and not cut:
        low, high = _holding(low, high, rotation, patient.to_pelvis(design.stem_form.tip))
    return make_frame(rng, low, high, design.side, rotation, squash, options)


def _holding(
    low: tuple[float, float],
    high: tuple[float, float],
    rotation_deg: float,
    point: tuple[float, float],
    margin_mm: float = 5.0,
) -> tuple[tuple[float, float], tuple[float, float]]:
    """The box, widened about its centre where it would leave the point outside once turned."""
    angle = np.deg2rad(rotation_deg)
    dx, dy = point[0] - (low[0] + high[0]) / 2, point[1] - (low[1] + high[1]) / 2
    seen = (dx * np.cos(angle) - dy * np.sin(angle), dx * np.sin(angle) + dy * np.cos(angle))
    more = [max(0.0, abs(seen[i]) + margin_mm - (high[i] - low[i]) / 2) for i in (0, 1)]
    return (low[0] - more[0], low[1] - more[1]), (high[0] + more[0], high[1] + more[1])


def draw_size(rng: np.random.Generator, options: SimulationOptions) -> int:
    """The longer side of the image in pixels."""
    if options.size_px is not None:
        low, high = options.size_px
        return round(float(np.exp(rng.uniform(np.log(low), np.log(high)))))
    band = rng.choice(4, p=[0.10, 0.25, 0.40, 0.25])
    low, high = ((160, 300), (300, 600), (600, 1200), (1200, 2500))[int(band)]
    return int(rng.uniform(low, high))


def make_frame(
    rng: np.random.Generator,
    low: tuple[float, float],
    high: tuple[float, float],
    side: Side,
    rotation_deg: float,
    squash: float,
    options: SimulationOptions,
) -> Frame:
    width, height = high[0] - low[0], high[1] - low[1]
    longer = draw_size(rng, options)
    shown_width, shown_height = width * squash, height
    scale = longer / max(shown_width, shown_height)  # final pixels per shown mm
    cols, rows = max(32, round(shown_width * scale)), max(32, round(shown_height * scale))
    finest = min(1.0 / scale, 1.0 / (scale * squash))
    work = float(np.clip(finest, options.work_spacing_mm, max(0.5, options.work_spacing_mm)))
    wcols, wrows = round(width / work), round(height / work)
    sx, sy = width / wcols, height / wrows
    matrix = np.array([[sx, 0.0, -width / 2 + sx / 2], [0.0, sy, -height / 2 + sy / 2]])
    angle = np.deg2rad(rotation_deg)
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) @ matrix
    if side is Side.RIGHT:  # lateral lies to the left of the image
        matrix = np.diag([-1.0, 1.0]) @ matrix
    matrix[:, 2] += ((low[0] + high[0]) / 2, (low[1] + high[1]) / 2)
    return Frame(Canvas(wrows, wcols, matrix), rows, cols)


def draw_exposure(rng: np.random.Generator, options: SimulationOptions) -> physics.Exposure:
    if options.clean:
        return physics.Exposure(75.0, 0.4, 8e5, 0.22)
    low, high = (64, 90) if options.shifted else (68, 82)
    return physics.Exposure(
        float(rng.uniform(low, high)),
        float(rng.uniform(0.3, 0.6)),
        float(np.exp(rng.uniform(np.log(6e4), np.log(9e5)))),
        float(rng.uniform(0.15, 0.6)),
    )


def draw_labels(
    rng: np.random.Generator, options: SimulationOptions, cemented: bool
) -> tuple[Label, Label, bool, bool]:
    """(stem, cup, stem hard, cup hard)"""
    roll = rng.random()
    which = rng.random()
    other = rng.random()
    hard_stem, hard_cup = (bool(rng.random() < options.hard_share) for _ in range(2))
    if roll < options.borderline_share:
        stem, cup = (Label.BORDERLINE, Label.FIXED) if which < 0.6 else (Label.FIXED, Label.BORDERLINE)
    elif roll < options.borderline_share + (1 - options.borderline_share) * options.prevalence:
        rest = Label.BORDERLINE if other < 0.1 else Label.FIXED
        stem, cup = (
            (Label.LOOSE, rest) if which < 0.44 else (rest, Label.LOOSE) if which < 0.76 else (Label.LOOSE, Label.LOOSE)
        )
    else:
        stem = cup = Label.FIXED
        hard_cup = hard_cup and bool(rng.random() < 0.5)
    return stem, cup, hard_stem, hard_cup


def draw_plans(
    stream: Stream, options: SimulationOptions, design: HipDesign, name: str, emphasis: int
) -> tuple[ComponentPlan, ComponentPlan]:
    assert design.stem is not None
    assert design.cup is not None
    stem_label, cup_label, hard_stem, hard_cup = draw_labels(
        stream(f"label {name}"), options, design.stem.family.cemented
    )
    rng = stream(f"lines {name} {emphasis}")
    stem = loosening.plan_component(
        rng,
        stem_label,
        cemented=design.stem.family.cemented,
        cup=False,
        hard=hard_stem,
        shifted=options.shifted,
        emphasis=emphasis,
    )
    cup = loosening.plan_component(
        rng,
        cup_label,
        cemented=design.cup.cemented,
        cup=True,
        hard=hard_cup,
        shifted=options.shifted,
        emphasis=emphasis,
    )
    return stem, cup


def draw_hip(
    paths: physics.Paths,
    canvas: Canvas,
    patient: anatomy.Patient,
    design: HipDesign,
    plans: tuple[ComponentPlan, ComponentPlan] | None,
    stream: Stream,
    name: str,
    alter: Callable[[anatomy.FemurFields], None] | None = None,
) -> DrawnHip:
    """Femur, and implant if any, of one hip, in its own pelvic frame; `alter` changes a replaced hip's femur first."""
    femur_canvas = canvas.framed(rotation_deg=-patient.adduction_deg)
    texture = stream(f"texture {name}")
    if plans is None or design.stem is None or design.cup is None or design.stem_form is None:
        fields = anatomy.femur_fields(femur_canvas, patient, design.femur, texture)
        if fields is not None:
            anatomy.add_femur(paths, fields)
        anatomy.add_native_head(paths, canvas, patient, texture)
        return DrawnHip(design, canvas, None, femur_canvas, None, None, None, None, (0.0, 0.0), {}, None)
    stem_plan, cup_plan = plans
    bone_canvas = femur_canvas.framed(shift=(0.0, -stem_plan.subsidence_mm))  # the bone rises past the stem
    fields = anatomy.femur_fields(bone_canvas, patient, design.femur, texture)
    pivot = (patient.shaft_x_mm - 8.0, 45.0)
    stem_canvas = femur_canvas.framed(rotation_deg=-stem_plan.tilt_deg, shift=pivot).framed(
        shift=(-pivot[0], -pivot[1])
    )
    stem_fields = None
    drawing = stream(f"drawing {name}")
    if fields is not None:
        lookalike = stream(f"lookalike {name}")
        stem_plan = implants.fit_to_bone(stem_plan, stem_canvas, fields, design.stem_form)
        _thin_bone(fields, lookalike, patient)
        if alter is not None:
            alter(fields)
        envelope, stem_fields = implants.add_stem(
            paths, stem_canvas, fields, design.stem_form, design.stem, stem_plan, drawing
        )
        anatomy.add_femur(paths, fields, envelope)
        if lookalike.random() < 0.10:
            implants.add_cerclage(paths, bone_canvas, fields, patient, lookalike)
    # The head sits in the cup, a little higher where the polyethylene has worn; a tilted stem takes both along.
    turn = np.linalg.solve(stem_canvas.matrix[:, :2].T, canvas.matrix[:, :2].T).T
    origin = turn @ (-(stem_canvas.matrix[:, 2])) + canvas.matrix[:, 2]
    center = (float(origin[0]), float(origin[1]))
    wear = design.cup.wear_mm
    cup_center = (center[0] - 0.35 * wear, center[1] + 0.9 * wear)
    cup_fields, rims = implants.add_cup(paths, canvas, design.cup, cup_plan, cup_center, drawing)
    moved = cup_plan.migration_mm
    head = (moved[0], moved[1])  # the head follows its cup; in the stem's frame
    turned = np.linalg.solve(canvas.matrix[:, :2].T, stem_canvas.matrix[:, :2].T).T @ np.array(head)
    head_in_stem = (float(turned[0]), float(turned[1]))
    head_mask = implants.add_head_and_neck(paths, stem_canvas, design.stem_form, design.stem, head_in_stem)
    head_in_pelvis = (center[0] + head[0], center[1] + head[1])
    return DrawnHip(
        design,
        canvas,
        stem_canvas,
        femur_canvas,
        stem_plan,
        cup_plan,
        stem_fields,
        cup_fields,
        head_in_pelvis,
        rims,
        head_mask,
    )


def _thin_bone(fields: anatomy.FemurFields, rng: np.random.Generator, patient: anatomy.Patient) -> None:
    """Look-alikes that well-fixed stems show as often as loose ones: stress shielding, calcar resorption, lysis."""
    x, y = fields.canvas.coordinates
    n = patient.neck_length_mm
    shielding, calcar, lysis = rng.random(3)
    if shielding < 0.35:
        loss = rng.uniform(0.25, 0.65) * np.clip((75 + n - y) / 45, 0, 1)
        fields.density *= 1 - loss
        fields.inner += 0.45 * loss * (fields.outer - fields.inner)
    if calcar < 0.25:
        place = np.exp(-(((x - (patient.shaft_x_mm - 20)) / 9) ** 2 + ((y - (38 + n)) / rng.uniform(7, 14)) ** 2))
        fields.density *= 1 - 0.8 * place
        fields.inner += 0.7 * place * (fields.outer - fields.inner)
        fields.outer *= 1 - 0.25 * place
        fields.inner = np.minimum(fields.inner, fields.outer)
    if lysis < 0.18:
        for _ in range(int(rng.integers(1, 4))):
            cx, cy = patient.shaft_x_mm + rng.uniform(-14, 20), n + rng.uniform(0, 60)
            size = rng.uniform(4, 10)
            blob = np.exp(-((((x - cx) ** 2 + ((y - cy) * 0.8) ** 2) / size**2) ** 1.3))
            fields.density *= 1 - 0.7 * blob
            fields.inner += 0.5 * blob * (fields.outer - fields.inner)


def _simulate_suitable(stream: Stream, options: SimulationOptions, pelvis: bool) -> SimulatedRadiograph:
    image_rng = stream("image")
    main_side = Side.LEFT if image_rng.random() < 0.5 else Side.RIGHT
    both = image_rng.random() < options.bilateral_share
    patient = anatomy.draw_patient(stream("patient"), options.shifted)
    design = draw_design(stream, options, patient, main_side, True, "main")
    assert design.stem_form is not None
    if pelvis:
        other_side = Side.RIGHT if main_side is Side.LEFT else Side.LEFT
        others = [draw_design(stream, options, patient, other_side, bool(both), "other")]
        frame = frame_pelvis(stream("frame"), design, patient, options)
    else:
        others = []
        hidden = overlays.draw_overlays(stream("overlays")).collimation if options.overlays else (0.0, 0.0, 0.0, 0.0)
        frame = frame_single(stream("frame"), design, patient, options, design.stem_form.tip[1], margins=hidden)
    paths = physics.Paths(frame.canvas)
    sockets = [None if each.replaced else 26.0 * patient.size for each in (design, *others)]
    background(paths, frame.canvas, patient, stream, (sockets[0], sockets[1] if others else 26.0 * patient.size))
    without_hips = paths.stack
    notes: list[str] = []
    best: SimulatedRadiograph | None = None
    for attempt in range(MAX_ATTEMPTS):
        paths.stack = without_hips.copy()
        best, failed = _render(stream, options, patient, [design, *others], frame, paths, pelvis, attempt, tuple(notes))
        if not failed:
            return best
        notes.append(f"redrawn: {failed}")
    assert best is not None
    return _relabelled(best, notes)


def frame_pelvis(
    rng: np.random.Generator, design: HipDesign, patient: anatomy.Patient, options: SimulationOptions
) -> Frame:
    half = patient.midline_mm + patient.shaft_x_mm + rng.uniform(32, 75)
    assert design.stem_form is not None or not design.replaced
    tip = design.stem_form.tip[1] if design.stem_form is not None else 110.0
    top, bottom = -rng.uniform(85, 165), tip + rng.uniform(8, 40)
    off = rng.normal(0, 6)
    m = patient.midline_mm
    rotation = float(np.clip(rng.normal(0, 1.5), -5, 5))
    return make_frame(rng, (-m - half + off, top), (-m + half + off, bottom), design.side, rotation, 1.0, options)


def background(
    paths: physics.Paths,
    canvas: Canvas,
    patient: anatomy.Patient,
    stream: Stream,
    socket: tuple[float | None, float | None],
) -> None:
    """Everything that is there whatever the hips are: flesh, pelvis, sacrum, gas."""
    anatomy.add_soft_tissue(paths, patient, stream("flesh"))
    opposite = mirrored(canvas, patient)
    bones = stream("pelvis")
    first, second = bones.spawn(2)
    anatomy.add_pelvis(on(paths, canvas), patient, first, socket[0])
    anatomy.add_pelvis(on(paths, opposite), patient, second, socket[1])
    anatomy.add_sacrum(paths, patient, stream("sacrum"))
    anatomy.add_gas(paths, patient, stream("gas"))
    ossified = stream("ossification")
    if ossified.random() < 0.12:
        anatomy.add_ossification(on(paths, canvas), patient, ossified)


def mirrored(canvas: Canvas, patient: anatomy.Patient) -> Canvas:
    """The frame of the other hip."""
    return canvas.framed(mirror=True, shift=(2.0 * patient.midline_mm, 0.0))


def on(paths: physics.Paths, canvas: Canvas) -> physics.Paths:
    other = physics.Paths.__new__(physics.Paths)
    other.canvas, other.stack = canvas, paths.stack
    return other


def _render(
    stream: Stream,
    options: SimulationOptions,
    patient: anatomy.Patient,
    designs: list[HipDesign],
    frame: Frame,
    paths: physics.Paths,
    pelvis: bool,
    emphasis: int,
    notes: tuple[str, ...],
) -> tuple[SimulatedRadiograph, str]:
    """(radiograph, what a loose component lacks to be seen or "") with the hips drawn into the paths."""
    canvas = frame.canvas
    drawn: list[DrawnHip] = []
    for number, design in enumerate(designs):
        name = "main" if number == 0 else "other"
        hip_canvas = canvas if number == 0 else mirrored(canvas, patient)
        plans = draw_plans(stream, options, design, name, emphasis) if design.replaced else None
        drawn.append(draw_hip(on(paths, hip_canvas), hip_canvas, patient, design, plans, stream, name))
    grey, look, nuisance = expose(
        paths, frame, options, stream, [hip_band(hip, frame) for hip in drawn], drawn[0].design.side, patient
    )
    hips, failed = [], ""
    for hip in drawn:
        known, problem = hip_truth(hip, frame, grey, patient)
        hips.append(known)
        failed = failed or problem
    nuisance["pelvis"] = float(pelvis)
    truth = Truth("pelvis" if pelvis else "single", Suitability.SUITABLE, tuple(hips), nuisance, notes)
    return finish(grey, look, frame, truth), failed


def finish(grey: Field, look: processing.Look, frame: Frame, truth: Truth) -> SimulatedRadiograph:
    sx, sy = frame.scale
    row_mm, col_mm = frame.canvas.spacing_mm
    return SimulatedRadiograph(processing.store(grey, look), look.bits, (row_mm / sy, col_mm / sx), truth)


def expose(
    paths: physics.Paths,
    frame: Frame,
    options: SimulationOptions,
    stream: Stream,
    bands: list[Mask],
    side: Side,
    patient: anatomy.Patient | None,
) -> tuple[Field, processing.Look, dict[str, float]]:
    """Project, process and burn in: (final grey 0-1, look, nuisances)."""
    canvas = frame.canvas
    exposure = draw_exposure(stream("exposure"), options)
    look = processing.draw_look(stream("look"), options.clean, options.shifted)
    overlay_rng = stream("overlays")
    burnt = overlays.draw_overlays(overlay_rng)
    fold_rng = stream("fold")
    fold = fold_rng.random() < 0.2 and not options.clean
    lying = {} if options.clean else clutter.add_clutter(paths, stream("clutter"))
    if fold:
        anatomy.add_skin_fold(paths, fold_rng)
    noise = stream("noise")
    air = paths["soft"] + paths["fat"] + paths["bone"] < 6.0
    signal = physics.project(paths, exposure)
    signal = physics.add_noise(signal, exposure.photons, canvas.pixel_mm, noise)
    density = -np.log(np.maximum(signal, 2e-4))
    density = processing.enhance(density, look, canvas.pixel_mm)
    reference = ~air
    for band in bands:
        reference &= ~band
    grey = processing.tone(density, look, reference)
    grey = processing.resample(grey, frame.rows, frame.cols)
    grey = processing.degrade(grey, look, noise)
    if options.overlays:
        grey = overlays.burn_overlays(grey, burnt, side.value, overlay_rng)
    nuisance: dict[str, float] = {f"look_{key}": float(value) for key, value in look.__dict__.items()}
    nuisance |= {f"exposure_{key}": float(value) for key, value in exposure.__dict__.items()}
    nuisance |= {
        f"overlay_{key}": float(value) for key, value in burnt.__dict__.items() if isinstance(value, int | float)
    }
    nuisance |= {
        f"collimation_{name}": value
        for name, value in zip(("left", "top", "right", "bottom"), burnt.collimation, strict=True)
    }
    if patient is not None:
        nuisance |= {
            f"patient_{key}": float(value) for key, value in patient.__dict__.items() if isinstance(value, int | float)
        }
    nuisance |= lying
    nuisance |= {
        "skin_fold": float(fold),
        "rows": float(frame.rows),
        "cols": float(frame.cols),
        "left_side": float(side is Side.LEFT),
        "inverted": float(look.inverted),
    }
    nuisance["field_mm"] = canvas.rows * canvas.spacing_mm[0]
    return grey, look, nuisance


def hip_band(hip: DrawnHip, frame: Frame) -> Mask:
    """Where this hip's component labels can change the image, in working pixels."""
    mask = np.zeros((frame.canvas.rows, frame.canvas.cols), bool)
    if not hip.design.replaced:
        return mask
    x, y = hip.femur_canvas.coordinates
    s = hip.femur_canvas
    assert hip.design.stem_form is not None
    tip = hip.design.stem_form.tip[1]
    window = s.box((-48, -48), (95, tip + 26))
    if window is not None:
        slices, _ = window
        px, py = x[slices], y[slices]
        shaft = hip.design.femur.shaft_x_mm
        mask[slices] = (
            (np.hypot(px, py) < 48)
            | ((np.abs(px - shaft) < 22) & (py > -30) & (py < tip + 24))
            | ((px > 0) & (px < shaft + 28) & (py > -30) & (py < 80))
        )
    return mask


def final_window(values: np.ndarray, slices: tuple[slice, slice], frame: Frame) -> tuple[tuple[slice, slice], Field]:
    """A window of the working grid -> (window of the final image, area-averaged values)."""
    sx, sy = frame.scale
    r0, r1 = int(np.ceil(slices[0].start * sy - 1e-6)), int(np.floor(slices[0].stop * sy + 1e-6))
    c0, c1 = int(np.ceil(slices[1].start * sx - 1e-6)), int(np.floor(slices[1].stop * sx + 1e-6))
    r1, c1 = min(max(r1, r0 + 1), frame.rows), min(max(c1, c0 + 1), frame.cols)
    r0, c0 = min(r0, r1 - 1), min(c0, c1 - 1)
    height, width = values.shape
    box = (
        max(c0 / sx - slices[1].start, 0.0), max(r0 / sy - slices[0].start, 0.0),
        min(c1 / sx - slices[1].start, width), min(r1 / sy - slices[0].start, height),
    )  # fmt: skip
    image = Image.fromarray(np.ascontiguousarray(values, dtype=np.float32))
    out = np.array(image.resize((c1 - c0, r1 - r0), Image.Resampling.BILINEAR, box=box), dtype=np.float32)
    return (slice(r0, r1), slice(c0, c1)), out


def line_contrast(fields: ComponentFields, frame: Frame, grey: Field, bins: int = 16) -> tuple[float, float]:
    """(median contrast-to-noise, share of its length that can be seen) of a drawn line, in the final image.

    Contrast of each stretch: the darker of its two neighbours, less the line; noise: the robust deviation
    of the fine residue in the periprosthetic band.
    """
    window, line = final_window(fields.line, fields.slices, frame)
    _, inside = final_window(fields.inside, fields.slices, frame)
    _, outside = final_window(fields.outside, fields.slices, frame)
    _, position = final_window(fields.position, fields.slices, frame)
    _, band = final_window(fields.interface, fields.slices, frame)
    patch = grey[window]
    place = np.clip((position * bins).astype(int), 0, bins - 1)
    means = []
    for weight in (line, inside, outside):
        weight = np.where(weight > 0.15, weight * weight, 0.0)
        total = np.bincount(place.ravel(), weight.ravel(), bins)
        means.append((np.bincount(place.ravel(), (weight * patch).ravel(), bins), total))
    (dark, n0), (near, n1), (far, n2) = means
    known = (n0 > 0.3) & (n1 > 0.2) & (n2 > 0.2)
    if not known.any():
        return 0.0, 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        contrast = np.minimum(near / n1, far / n2) - dark / n0
    # Where a stretch has no neighbour left (cut by the edge, merged into metal) it counts as unseen.
    there = n0 > 0.3
    residue = (patch - ndimage.uniform_filter(patch, 3))[band > 0.5]
    noise = max(1.4826 * float(np.median(np.abs(residue))) if residue.size > 20 else 0.004, 0.004)
    cnr = np.where(known, contrast / noise, 0.0)
    seen = (cnr > VISIBLE_CNR) & np.where(known, contrast > VISIBLE_CONTRAST, False)
    return float(np.median(cnr[known])), float(seen[there].sum() / max(1, there.sum()))


def _zones(widths: np.ndarray, zones: np.ndarray, names: tuple[str, ...]) -> tuple[dict[str, float], dict[str, float]]:
    widest, continuity = {}, {}
    for number, name in enumerate(names, start=1):
        part = widths[zones == number]
        widest[name] = round(float(part.max(initial=0.0)), 2)
        continuity[name] = round(float(np.mean(part >= LINE_MM)) if part.size else 0.0, 3)
    return widest, continuity


def component_truth(
    plan: ComponentPlan,
    fields: ComponentFields | None,
    zones: np.ndarray,
    names: tuple[str, ...],
    fixation: Fixation,
    family: str,
    frame: Frame,
    grey: Field,
) -> ComponentTruth:
    widths = plan.widths_mm
    widest, continuity = _zones(widths, zones, names)
    cnr = seen = None
    if fields is not None and (widths >= LINE_MM).any():
        cnr, seen = line_contrast(fields, frame, grey)
    return ComponentTruth(
        plan.label, fixation, family, widest, continuity, round(float(np.mean(widths >= LINE_MM)), 3), round(float(widths.max()), 2), plan.signs,
        None if cnr is None else round(cnr, 3), None if seen is None else round(seen, 3),
    )  # fmt: skip


def combine(stem: Label, cup: Label) -> Label:
    """A hip is loose if either component is; borderline if either is, and none is loose."""
    for label in (Label.LOOSE, Label.BORDERLINE):
        if label in (stem, cup):
            return label
    return Label.FIXED


CUP_ZONE_OF_SAMPLE = np.minimum(np.arange(SAMPLES) * 3 // SAMPLES + 1, 3)
MIN_VISIBLE_SHARE = 0.5


def hip_truth(hip: DrawnHip, frame: Frame, grey: Field, patient: anatomy.Patient) -> tuple[HipTruth, str]:
    """(truth, what could not be seen or "")"""
    rows, cols = frame.rows, frame.cols
    empty = np.zeros((rows, cols), bool)
    teardrop = (-26 * patient.size, 27 * patient.size)
    trochanter = (patient.shaft_x_mm + 7, -7 + patient.neck_length_mm + patient.trochanter_mm)
    if hip.stem_plan is None or hip.cup_plan is None or hip.design.stem is None or hip.design.cup is None:
        known: dict[str, Point | float] = {
            "head_center": hip_point(hip.canvas, frame, (0, 0)),
            "head_radius_px": 24.0 * patient.size / frame.canvas.pixel_mm * float(np.sqrt(np.prod(frame.scale))),
            "trochanter_tip": hip_point(hip.femur_canvas, frame, trochanter),
            "teardrop": hip_point(hip.canvas, frame, teardrop),
        }
        region = region_of(hip, frame, (-45.0, -50.0), (patient.shaft_x_mm + 30, 105.0))
        return HipTruth(hip.design.side, region, False, None, None, None, empty, empty, empty, known), ""
    assert hip.design.stem_form is not None
    assert hip.stem_canvas is not None
    form = hip.design.stem_form
    cemented = hip.design.stem.family.cemented
    stem = component_truth(
        hip.stem_plan,
        hip.stem_fields,
        form.zones,
        GRUEN_ZONES,
        Fixation.CEMENTED if cemented else Fixation.CEMENTLESS,
        hip.design.stem.family.name,
        frame,
        grey,
    )
    cup = component_truth(
        hip.cup_plan, hip.cup_fields, CUP_ZONE_OF_SAMPLE, CUP_ZONES,
        Fixation.CEMENTED if hip.design.cup.cemented else Fixation.CEMENTLESS, hip.design.cup.family, frame, grey,
    )  # fmt: skip
    lucency, implant, interface = empty.copy(), empty.copy(), empty.copy()
    for fields, plan in ((hip.stem_fields, hip.stem_plan), (hip.cup_fields, hip.cup_plan)):
        if fields is None:
            continue
        counted = (fields.line & (fields.line_width > COUNTED_LINE_MM)) | fields.cracks
        if plan.widths_mm.max() > COUNTED_LINE_MM or plan.mantle_cracks:
            window, values = final_window(counted, fields.slices, frame)
            lucency[window] |= values > 0.3
        for target, source in ((implant, fields.implant), (interface, fields.interface)):
            window, values = final_window(source, fields.slices, frame)
            target[window] |= values > 0.5
    if hip.head_mask is not None:
        _, values = final_window(hip.head_mask, (slice(0, frame.canvas.rows), slice(0, frame.canvas.cols)), frame)
        implant |= values > 0.5
    lucency &= ~implant
    interface &= ~implant
    stem_frame = hip.stem_canvas
    radius_px = hip.design.stem.head_mm / 2 / frame.canvas.pixel_mm * float(np.sqrt(frame.scale[0] * frame.scale[1]))
    landmarks: dict[str, Point | float] = {
        "head_center": hip_point(hip.canvas, frame, hip.head),
        "head_radius_px": radius_px,
        "stem_tip": hip_point(stem_frame, frame, form.tip),
        "stem_axis_top": hip_point(stem_frame, frame, form.axis_top),
        "shoulder": hip_point(stem_frame, frame, form.shoulder),
        "cup_rim_lateral": hip_point(hip.canvas, frame, hip.cup_rims["cup_rim_lateral"]),
        "cup_rim_medial": hip_point(hip.canvas, frame, hip.cup_rims["cup_rim_medial"]),
        "teardrop": hip_point(hip.canvas, frame, teardrop),
        "trochanter_tip": hip_point(
            hip.femur_canvas, frame, (trochanter[0], trochanter[1] - hip.stem_plan.subsidence_mm)
        ),
    }
    reach = hip.design.cup.radius_mm + 10
    region = region_of(hip, frame, (-reach, -reach), (patient.shaft_x_mm + 24, form.tip[1] + 14))
    label = combine(stem.label, cup.label)
    failed = ""
    for name, part in (("stem", stem), ("cup", cup)):
        if part.label is Label.LOOSE and (
            part.line_visible_share is None or part.line_visible_share < MIN_VISIBLE_SHARE
        ):
            failed = failed or f"{hip.design.side.value} {name} line not visible"
    for plan in (hip.stem_plan, hip.cup_plan):
        if loosening.label_of(plan) != plan.label:
            failed = failed or f"{hip.design.side.value} {plan.label} plan did not fit the bone"
    hard = _is_hard(label, stem, cup)
    return HipTruth(
        hip.design.side, region, True, label, stem, cup, lucency, implant, interface, landmarks, hard
    ), failed


def _is_hard(label: Label, stem: ComponentTruth, cup: ComponentTruth) -> bool:
    """Loose: no loose component has a line that is both wide and plain. Fixed: a look-alike line is drawn."""
    if label is Label.LOOSE:
        loose = [part for part in (stem, cup) if part.label is Label.LOOSE]
        return all(part.widest_mm < 3.05 or (part.line_contrast_to_noise or 0.0) < 4.0 for part in loose) and not any(
            "mantle_fracture" in part.signs for part in loose
        )
    return label is Label.FIXED and any(part.widest_mm >= LINE_MM for part in (stem, cup))


def hip_point(canvas: Canvas, frame: Frame, point: tuple[float, float]) -> tuple[float, float]:
    """mm in a canvas's frame -> final pixels (x, y)"""
    x, y = frame.final_points(canvas.to_pixels(point))[0]
    return float(x), float(y)


def region_of(hip: DrawnHip, frame: Frame, low: tuple[float, float], high: tuple[float, float]) -> HipRegion:
    corners = np.array([(low[0], low[1]), (low[0], high[1]), (high[0], low[1]), (high[0], high[1])])
    pixels = frame.final_points(hip.canvas.to_pixels(corners))
    (x0, y0), (x1, y1) = pixels.min(axis=0), pixels.max(axis=0)
    return HipRegion(float(x0), float(y0), float(x1 - x0), float(y1 - y0), hip.design.side)


def _relabelled(image: SimulatedRadiograph, notes: list[str]) -> SimulatedRadiograph:
    """A loose component whose line cannot be seen even after redrawing is called borderline, and that is recorded."""
    hips = []
    for hip in image.truth.hips:
        parts = []
        for part in (hip.stem, hip.cup):
            if part is not None and part.label is Label.LOOSE and (part.line_visible_share or 0.0) < MIN_VISIBLE_SHARE:
                part = replace(part, label=Label.BORDERLINE)
                notes.append(f"relabelled borderline: {hip.side.value} line not visible")
            parts.append(part)
        stem, cup = parts
        label = combine(stem.label, cup.label) if stem is not None and cup is not None else hip.label
        hips.append(replace(hip, stem=stem, cup=cup, label=label))
    return replace(image, truth=replace(image.truth, hips=tuple(hips), notes=tuple(notes)))
