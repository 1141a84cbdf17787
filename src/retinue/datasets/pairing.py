"""Which of an archive's files belong together: folders are groups, and in each a mask finds its original by name.

A mask's file name contains `mask`. It belongs to the original whose name is the same but for that word, else to the one
with its number (`image_1.png`, `mask_01.png`); a mask without either belongs to the only original that is left.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

_MASK = re.compile("mask", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")
_BETWEEN = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Pair:
    """Positions in the list of paths that was given."""

    group: str
    original: int
    mask: int | None


@dataclass(frozen=True, slots=True)
class Alone:
    """A file that cannot be taken in, and why."""

    position: int
    reason: str


@dataclass(frozen=True, slots=True)
class Matched:
    pairs: list[Pair]
    rejected: list[Alone]
    contested: list[int]  # masks that more than one original claims: the originals are rejected, these are left out


def pair_up(paths: Sequence[str]) -> Matched:
    """In the order of the originals' positions."""
    by_group: dict[str, list[int]] = defaultdict(list)
    for position, path in enumerate(without_common_root(paths)):
        by_group[str(PurePosixPath(path).parent).removeprefix(".")].append(position)
    found = Matched([], [], [])
    for group, positions in by_group.items():
        _pair_group(group, positions, paths, found)
    found.pairs.sort(key=lambda pair: pair.original)
    found.rejected.sort(key=lambda alone: alone.position)
    return found


def without_common_root(paths: Sequence[str]) -> list[str]:
    """An archive often holds one folder that holds everything; that folder is no group."""
    split = [PurePosixPath(path).parts for path in paths]
    roots = {parts[0] for parts in split if len(parts) > 1}
    is_common = len(roots) == 1 and all(len(parts) > 1 for parts in split)
    return ["/".join(parts[1:] if is_common else parts) for parts in split]


def _pair_group(group: str, positions: list[int], paths: Sequence[str], found: Matched) -> None:
    stems = {position: PurePosixPath(paths[position]).stem for position in positions}
    masks = [position for position in positions if _MASK.search(stems[position])]
    originals = [position for position in positions if position not in set(masks)]
    masks_of: dict[int, list[int]] = {original: [] for original in originals}
    for mask in masks:
        claiming = _claiming(stems[mask], originals, stems)
        if not claiming:
            found.rejected.append(Alone(mask, "No picture or video beside it belongs to this mask"))
        for original in claiming:
            masks_of[original].append(mask)
    contested = {mask for mask, count in _counted(masks_of.values()).items() if count > 1}
    found.contested.extend(sorted(contested))
    for original, its_masks in masks_of.items():
        if shared := contested.intersection(its_masks):
            others = [other for other in originals if other != original and shared.intersection(masks_of[other])]
            reason = f"It and {_named(others, paths)} claim the same mask, {_named(sorted(shared), paths)}"
            found.rejected.append(Alone(original, reason))
        elif len(its_masks) > 1:
            found.rejected.append(Alone(original, f"More than one mask belongs to it: {_named(its_masks, paths)}"))
            found.contested.extend(its_masks)
        else:
            found.pairs.append(Pair(group, original, its_masks[0] if its_masks else None))


def _claiming(mask_stem: str, originals: list[int], stems: dict[int, str]) -> list[int]:
    """By what is left of the name without the word, else by number, else whoever is there."""
    rest = _squeezed(_MASK.sub("", mask_stem))
    if rest and (same := [one for one in originals if _squeezed(stems[one]) == rest]):
        return same
    number = _number(mask_stem)
    if number is not None and any(_number(stems[one]) is not None for one in originals):
        return [one for one in originals if _number(stems[one]) == number]
    return [] if rest and len(originals) > 1 else originals


def _squeezed(stem: str) -> str:
    return _BETWEEN.sub("", stem).lower()


def _number(stem: str) -> int | None:
    """The last one in the name. Twenty digits are no number that anybody counts to."""
    numbers = _NUMBER.findall(stem)
    return int(numbers[-1]) if numbers and len(numbers[-1]) < 20 else None


def _counted(lists: Iterable[list[int]]) -> dict[int, int]:
    counts: dict[int, int] = defaultdict(int)
    for one in lists:
        for mask in one:
            counts[mask] += 1
    return counts


def _named(positions: list[int], paths: Sequence[str]) -> str:
    names = [PurePosixPath(paths[position]).name for position in positions[:3]]
    return ", ".join(names) + (" …" if len(positions) > 3 else "")
