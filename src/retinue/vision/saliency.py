"""Says where a model looked: class activation maps read from its graph, occlusion for the rest, and their overlay."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from retinue.vision.asking import Asked
from retinue.vision.errors import NoHeatMap, NoSuchClass
from retinue.vision.geometry import Fit, Values
from retinue.vision.heads import Outputs
from retinue.vision.heads.classify import sigmoid, softmax
from retinue.vision.heads.head import named_outputs
from retinue.vision.images import Image
from retinue.vision.model import Model, Prepared
from retinue.vision.package import Package
from retinue.vision.results import Box, Classes, Detection, HeatMap, Picture, Result, Score, overlap

if TYPE_CHECKING:
    from retinue.vision.feature_graph import Plan

Pixels: TypeAlias = NDArray[np.uint8]
Ramp: TypeAlias = Literal["inferno", "viridis", "cividis"]
Scores: TypeAlias = Callable[[Sequence[Pixels]], Sequence[float]]

RAMPS = {"inferno": cv2.COLORMAP_INFERNO, "viridis": cv2.COLORMAP_VIRIDIS, "cividis": cv2.COLORMAP_CIVIDIS}
MAP_SIDE = 256  # cells along the longer side of a map; networks themselves have 7 to 20
OCCLUSION_SIDE = 640  # pictures are made this small before parts of them are hidden
OCCLUSION_CELLS = 8  # along the longer side: at most 64 looks at the picture
OCCLUSION_AT_ONCE = 8
FAINT = 0.05  # detections are followed down to this confidence while parts are hidden


def explain(model: Model, image: Image, prepared: Prepared, result: Result, asked: Asked) -> HeatMap | None:
    """Where the model looked for the class that `asked.explain` names, or for its surest answer; None without any."""
    if asked.explain is None or isinstance(result, Picture):
        return None
    target = _target(result, asked.explain.label, model.package)
    if target is None:
        return None
    if asked.explain.method != "occlusion" and isinstance(result, Classes):
        found = activation_map(model, prepared, target)
        if found is not None:
            return found
    if asked.explain.method == "cam":
        raise NoHeatMap("This model's graph gives no class activation maps; ask for occlusion.")
    return hide_and_look(model, image, target)


def activation_map(model: Model, prepared: Prepared, target: Score) -> HeatMap | None:
    """The class activation map, or None where the graph does not hold one: that is proved on this very picture."""
    from retinue.vision.feature_graph import plan_of  # brings the onnx package: 0.2 s

    weights = model.package.weights
    answer = next(iter(named_outputs(model.package.manifest)), None)
    plan = plan_of(weights, output=answer) if weights else None
    if plan is None:
        return None
    try:
        (outputs,) = model.forward([prepared], extra=[plan.features])
    except OSError:  # the package lies where nothing may be written beside it
        return None
    values = class_map(outputs, plan, target.class_id, answer=answer)
    if values is None:
        return None
    return HeatMap(target.label, target.class_id, "cam", over_picture(values, prepared.fit))


def class_map(outputs: Outputs, plan: "Plan", class_id: int, *, answer: str | None = None) -> Values | None:
    """One class's map over the features' grid, 0–1; None where W · mean(features) + b is not what the network said."""
    features = np.asarray(outputs[plan.features], np.float32)
    said = np.asarray(outputs[answer or next(iter(outputs))], np.float32).ravel()
    channels = len(said) if plan.weights is None else plan.weights.shape[1]
    for grid in _as_grids(features, channels):
        means = grid.mean(axis=(1, 2))
        logits = (means if plan.weights is None else plan.weights @ means) + plan.bias
        if logits.shape == said.shape and class_id < len(said) and _agree(logits, said):
            raw = grid[class_id] if plan.weights is None else np.tensordot(plan.weights[class_id], grid, axes=1)
            return _from_0_to_1(raw)
    return None


def over_picture(values: Values, fit: Fit) -> Values:
    """A map over the network's frame → one over the picture; what the network never saw is 0."""
    shrunk = min(1.0, MAP_SIDE / max(fit.width, fit.height))
    width, height = max(1, round(fit.width * shrunk)), max(1, round(fit.height * shrunk))
    coarse = replace(
        fit,
        width=width,
        height=height,
        scale_x=fit.scale_x * fit.width / width,
        scale_y=fit.scale_y * fit.height / height,
    )
    return np.clip(coarse.mask_back(values), 0, 1)


def hide_and_look(model: Model, image: Image, target: Score) -> HeatMap:
    """By occlusion: hide one part after the other, and see how much less sure of the target the model is."""
    pixels = _small(image.pixels)
    box = _scaled(target.box, pixels.shape[1] / image.width) if isinstance(target, Detection) else None
    values = occlusion_map(pixels, lambda pictures: _scores(model, pictures, target, box))
    return HeatMap(target.label, target.class_id, "occlusion", values)


def occlusion_map(pixels: Pixels, scores: Scores) -> Values:
    """How much the score falls when a part of the picture is hidden, 0–1 over the picture, for any scoring function."""
    height, width = pixels.shape[:2]
    cell = max(1.0, max(height, width) / OCCLUSION_CELLS)
    rows, columns = max(1, round(height / cell)), max(1, round(width / cell))
    edges_y = np.linspace(0, height, rows + 1).round().astype(int)
    edges_x = np.linspace(0, width, columns + 1).round().astype(int)
    (whole,) = scores([pixels])
    falls = np.zeros((rows, columns), np.float32)
    places = [(row, column) for row in range(rows) for column in range(columns)]
    mean = pixels.mean(axis=(0, 1)).astype(np.uint8)
    for start in range(0, len(places), OCCLUSION_AT_ONCE):
        some = places[start : start + OCCLUSION_AT_ONCE]
        hidden = [_hidden(pixels, edges_y, edges_x, place, mean) for place in some]
        for place, score in zip(some, scores(hidden), strict=True):
            falls[place] = max(0.0, whole - score)
    return _from_0_to_1(falls) if falls.any() else falls


def overlay(pixels: Pixels, heat_map: HeatMap, *, opacity: float = 0.5, ramp: Ramp = "inferno") -> Pixels:
    """The picture under its heat map: bright where the model looked, darkened where it did not.

    The ramps rise evenly in lightness, so that they read the same to colour-blind eyes and in grey.
    """
    height, width = pixels.shape[:2]
    heat = cv2.resize(heat_map.values, (width, height), interpolation=cv2.INTER_LINEAR)
    shades = (np.clip(heat, 0, 1) * 255 + 0.5).astype(np.uint8)
    coloured = cv2.cvtColor(cv2.applyColorMap(shades, RAMPS[ramp]), cv2.COLOR_BGR2RGB)
    opacity = min(max(opacity, 0.0), 1.0)
    return np.asarray(cv2.addWeighted(pixels, 1 - opacity, coloured, opacity, 0), np.uint8)


def _target(result: Result, label: str | None, package: Package) -> Score | None:
    if label is None:
        return result.top()
    if label not in package.labels:
        raise NoSuchClass(f"The model knows no class “{label}”.")
    items = () if isinstance(result, Picture) else result.items
    seen = next((item for item in items if item.label == label), None)
    return seen or Score(label, package.labels.index(label), 0.0)


def _as_grids(features: Values, channels: int) -> list[Values]:
    """Channels × rows × columns, whichever way the network lays them out: first, last, or as tokens of a square."""
    if features.ndim == 2 and features.shape[1] == channels:
        side = round(features.shape[0] ** 0.5)
        return [features.T.reshape(channels, side, side)] if side * side == features.shape[0] else []
    if features.ndim != 3:
        return []
    ways = (features, features.transpose(2, 0, 1))
    return [way for way in ways if way.shape[0] == channels]


def _agree(logits: Values, said: Values) -> bool:
    """The network may have answered with logits or with probabilities made of them."""
    spread = max(1.0, float(np.abs(said).max()))
    return any(np.allclose(way, said, atol=1e-3 * spread) for way in (logits, softmax(logits), sigmoid(logits)))


def _from_0_to_1(raw: Values) -> Values:
    """What speaks for the class; where nothing does, what speaks least against it."""
    values = np.maximum(raw, 0) if raw.max() > 0 else raw - raw.min()
    return np.asarray(values / max(float(values.max()), 1e-12), np.float32)


def _small(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    shrunk = OCCLUSION_SIDE / max(height, width)
    if shrunk >= 1:
        return pixels
    size = max(1, round(width * shrunk)), max(1, round(height * shrunk))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _scaled(box: Box, by: float) -> Box:
    x, y, width, height = box
    return x * by, y * by, width * by, height * by


def _hidden(
    pixels: Pixels, edges_y: NDArray[np.int_], edges_x: NDArray[np.int_], place: tuple[int, int], mean: Pixels
) -> Pixels:
    row, column = place
    hidden = pixels.copy()
    hidden[edges_y[row] : edges_y[row + 1], edges_x[column] : edges_x[column + 1]] = mean
    return hidden


def _scores(model: Model, pictures: Sequence[Pixels], target: Score, box: Box | None) -> list[float]:
    at_once = min(model.max_batch or OCCLUSION_AT_ONCE, OCCLUSION_AT_ONCE)
    asked = Asked(confidence=FAINT, top_k=max(1, len(model.package.labels) or target.class_id + 1))
    scores: list[float] = []
    for start in range(0, len(pictures), at_once):
        prepared = [model.prepare(Image.of(pixels)) for pixels in pictures[start : start + at_once]]
        for outputs, one in zip(model.forward(prepared), prepared, strict=True):
            scores.append(_score(model.read(outputs, one, asked), target, box))
    return scores


def _score(result: Result, target: Score, box: Box | None) -> float:
    """Of a thing found in a box, what is found there counts, and counts less the less it is the same box."""
    items = () if isinstance(result, Picture) else result.items
    same = (item for item in items if item.class_id == target.class_id)
    return max(
        (item.score * (overlap(item.box, box) if box and isinstance(item, Detection) else 1) for item in same),
        default=0.0,
    )
