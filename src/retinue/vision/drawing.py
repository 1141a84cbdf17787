"""Draws an answer on its picture: boxes, masks, classes and heat maps that anybody can tell apart at any size.

The colours are Okabe and Ito's, each line over a dark casing, so that it shows on any ground and to colour-blind eyes;
every thing also has its number. Widths and letters grow with the picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from retinue.vision.lettering import lettered, writable
from retinue.vision.results import Classes, Detection, Detections, HeatMap, Masks, Picture, Result, Score
from retinue.vision.saliency import overlay

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]

COLOURS: tuple[Colour, ...] = (
    (0xE6, 0x9F, 0x00),
    (0x56, 0xB4, 0xE9),
    (0x00, 0x9E, 0x73),
    (0xF0, 0xE4, 0x42),
    (0x00, 0x72, 0xB2),
    (0xD5, 0x5E, 0x00),
    (0xCC, 0x79, 0xA7),
    (0xE8, 0xE8, 0xE8),
)
CASING: Colour = (10, 12, 14)
PLATE: Colour = (20, 23, 26)
ON_PLATE: Colour = (255, 255, 255)
PLATE_OPACITY, MASK_OPACITY = 0.85, 0.4
SHOWN_CLASSES = 5


def draw(pixels: Pixels, result: Result, heat_map: HeatMap | None = None, *, opacity: float = 0.5) -> Pixels:
    """A copy of the picture with the answer on it. An inpainter's answer is a picture already: that is returned."""
    if isinstance(result, Picture):
        return result.pixels.copy()
    drawn = overlay(pixels, heat_map, opacity=opacity) if heat_map is not None else pixels.copy()
    sheet = Sheet(drawn)
    if isinstance(result, Classes):
        _draw_classes(sheet, result.items)
    elif isinstance(result, Detections):
        _draw_detections(sheet, result)
    else:
        _draw_masks(sheet, result)
    return sheet.pixels


def colour_of(class_id: int) -> Colour:
    return COLOURS[class_id % len(COLOURS)]


@dataclass
class Sheet:
    """The picture being drawn on, how thick a line and how high a letter is there, and where plates lie already."""

    pixels: Pixels
    line: int = field(init=False)
    letters: int = field(init=False)
    plates: list[tuple[int, int, int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        # Two pixels and letters of 16 at 480 lines, as on a screen; 17 and 133 at 4000.
        short = min(self.width, self.height)
        self.line = max(1, round(short / 240))
        self.letters = min(max(9, round(short / 30)), 200)

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def casing(self) -> int:
        return self.line + 2 * max(1, self.line // 2)


def _draw_detections(sheet: Sheet, result: Detections) -> None:
    corners = [_corners(sheet, thing) for thing in (*result.items, *result.unsure)]
    sure = len(result.items)
    for place, (thing, box) in enumerate(zip((*result.items, *result.unsure), corners, strict=True)):
        _outline(sheet, box, colour_of(thing.class_id), dashed=place >= sure)
    # Plates come last, so that no line crosses a word; the surest thing chooses its place first.
    for place, (thing, box) in enumerate(zip((*result.items, *result.unsure), corners, strict=True)):
        _label(sheet, thing, str(place + 1) if place < sure else "?", box)


def _draw_masks(sheet: Sheet, result: Masks) -> None:
    for thing in reversed(result.items):  # the surest on top
        _tint(sheet, thing.as_array(), colour_of(thing.class_id))
    for place, thing in enumerate(result.items):
        _label(sheet, thing, str(place + 1), _corners(sheet, thing))


def _draw_classes(sheet: Sheet, items: Sequence[Score]) -> None:
    """A plate in the lower left corner: the surest class in full, the others quieter, as many as there is room for."""
    pad, step = max(2, sheet.letters // 3), round(sheet.letters * 1.5)
    room = max(1, min(SHOWN_CLASSES, (sheet.height // 2 - 2 * pad) // step))
    widest = sheet.width - 4 * pad
    rows = [
        _shortened([f"{_name(item)}  {item.score:.0%}", _name(item)], sheet, widest=widest) for item in items[:room]
    ]
    if not rows:
        return
    width, height = max(row.shape[1] for row in rows) + 2 * pad, len(rows) * step + 2 * pad
    x, y = pad, max(0, sheet.height - height - pad)
    _fill(sheet, (x, y, x + width, y + height), PLATE, PLATE_OPACITY)
    for place, (row, item) in enumerate(zip(rows, items, strict=False)):
        top = y + pad + place * step
        bar = round((width - 2 * pad) * min(max(item.score, 0), 1))
        _fill(sheet, (x + pad, top + step - max(2, step // 8), x + pad + bar, top + step - 1), COLOURS[0], 1)
        _write(sheet, row, (x + pad, top), ON_PLATE if place == 0 else (200, 204, 208))


def _corners(sheet: Sheet, thing: Detection) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of the outline's middle, inside the picture, so that an outline along the edge is seen whole."""
    x, y, width, height = thing.box
    inset = sheet.casing // 2
    return (
        _within(round(x), inset, sheet.width - 1 - inset),
        _within(round(y), inset, sheet.height - 1 - inset),
        _within(round(x + width), inset, sheet.width - 1 - inset),
        _within(round(y + height), inset, sheet.height - 1 - inset),
    )


def _within(value: int, low: int, high: int) -> int:
    return max(min(value, high), min(low, high))


def _outline(sheet: Sheet, box: tuple[int, int, int, int], colour: Colour, *, dashed: bool) -> None:
    x0, y0, x1, y1 = box
    cv2.rectangle(sheet.pixels, (x0, y0), (x1, y1), CASING, sheet.casing)
    if not dashed:
        cv2.rectangle(sheet.pixels, (x0, y0), (x1, y1), colour, sheet.line)
        return
    dash = max(3, 4 * sheet.line)
    for (ax, ay), (bx, by) in (((x0, y0), (x1, y0)), ((x1, y0), (x1, y1)), ((x1, y1), (x0, y1)), ((x0, y1), (x0, y0))):
        length = max(abs(bx - ax), abs(by - ay), 1)
        for start in range(0, length, 2 * dash):
            end = min(start + dash, length)
            (sx, sy), (ex, ey) = (
                (round(ax + (bx - ax) * at / length), round(ay + (by - ay) * at / length)) for at in (start, end)
            )
            cv2.line(sheet.pixels, (sx, sy), (ex, ey), colour, sheet.line)


def _tint(sheet: Sheet, mask: NDArray[np.bool_], colour: Colour) -> None:
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    if not width:
        return
    part, marked = sheet.pixels[y : y + height, x : x + width], mask[y : y + height, x : x + width]
    mixed = part[marked] * (1 - MASK_OPACITY) + np.array(colour) * MASK_OPACITY
    part[marked] = (mixed + 0.5).astype(np.uint8)
    edges, _ = cv2.findContours(marked.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE, offset=(x, y))
    cv2.drawContours(sheet.pixels, edges, -1, CASING, sheet.casing)
    cv2.drawContours(sheet.pixels, edges, -1, colour, sheet.line)


def _name(item: Score) -> str:
    return writable(item.label) or f"#{item.class_id}"


def _label(sheet: Sheet, thing: Score, number: str, box: tuple[int, int, int, int]) -> None:
    """A plate with a bar of the thing's colour, above its box if there is room, else where it hides least."""
    pad = max(1, sheet.letters // 5)
    bar = 2 * max(1, sheet.line)
    name = f"{number} {_name(thing)}"
    widest = min(max(box[2] - box[0], sheet.width * 2 // 5), sheet.width - bar - 2 * pad)
    row = _shortened([f"{name} {thing.score:.0%}", name, number], sheet, widest=widest)
    width, height = row.shape[1] + bar + 2 * pad, row.shape[0] + pad
    x, y = _place(sheet, box, width, height)
    _fill(sheet, (x, y, x + width, y + height), PLATE, PLATE_OPACITY)
    _fill(sheet, (x, y, x + bar, y + height), colour_of(thing.class_id), 1)
    _write(sheet, row, (x + bar + pad, y + pad // 2), ON_PLATE)
    sheet.plates.append((x, y, x + width, y + height))


def _shortened(wordings: list[str], sheet: Sheet, *, widest: int) -> Pixels:
    """The longest wording that fits; the last one whatever it takes."""
    rows = [lettered(text, sheet.letters) for text in wordings]
    return next((row for row in rows if row.shape[1] <= widest), rows[-1])


def _place(sheet: Sheet, box: tuple[int, int, int, int], width: int, height: int) -> tuple[int, int]:
    x0, y0, x1, y1 = box
    half = sheet.casing // 2 + 1
    wanted = (
        (x0 - half, y0 - half - height),  # above
        (x0 - half, y1 + half),  # below
        (x0 + half, y0 + half),  # inside, on top
        (x0 + half, y1 - half - height),  # inside, at the bottom
        (x1 + half, y0 - half),  # beside
        (x0 - half - width, y0 - half),
    )
    spots = [_inside(sheet, x, y, width, height) for x, y in wanted]
    shifts = [abs(x - spot[0]) + abs(y - spot[1]) for (x, y), spot in zip(wanted, spots, strict=True)]
    hidden = [
        sum(_shared((*spot, spot[0] + width, spot[1] + height), other) for other in sheet.plates) for spot in spots
    ]
    # A plate pushed sideways at the edge still belongs to its box; one pushed over another plate is worse.
    best = min(range(len(spots)), key=lambda n: (hidden[n] > 0, shifts[n] > width, hidden[n], n))
    return spots[best]


def _inside(sheet: Sheet, x: int, y: int, width: int, height: int) -> tuple[int, int]:
    return max(0, min(x, sheet.width - width)), max(0, min(y, sheet.height - height))


def _shared(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> int:
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return max(across, 0) * max(down, 0)


def _fill(sheet: Sheet, box: tuple[int, int, int, int], colour: Colour, opacity: float) -> None:
    x0, y0, x1, y1 = box
    part = sheet.pixels[max(y0, 0) : y1, max(x0, 0) : x1]
    part[:] = (part * (1 - opacity) + np.array(colour) * opacity + 0.5).astype(np.uint8)


def _write(sheet: Sheet, row: Pixels, at: tuple[int, int], colour: Colour) -> None:
    x, y = at
    part = sheet.pixels[y : y + row.shape[0], x : x + row.shape[1]]
    strength = row[: part.shape[0], : part.shape[1], None] / 255
    part[:] = (part * (1 - strength) + np.array(colour) * strength + 0.5).astype(np.uint8)
