"""Class names as files give them: in order, without gaps, and told apart by a person reading them."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from retinue.vision.errors import ModelRefused, ModelTooBig

MAX_LABELS = 100_000
MAX_LABEL_LENGTH = 500


def labels_of(said: Any) -> tuple[str, ...] | None:
    """From a list of names or a dictionary by class number, as exporters write either; None where nothing is said."""
    if said is None or said in ({}, [], ""):
        return None
    if isinstance(said, Mapping):
        try:
            by_number = {int(number): name for number, name in said.items()}
        except (TypeError, ValueError):
            raise ModelRefused("The class names are not numbered.") from None
        if sorted(by_number) != list(range(len(said))):
            raise ModelRefused("The class names have gaps in their numbers.")
        said = [by_number[number] for number in range(len(by_number))]
    if not isinstance(said, list | tuple):
        raise ModelRefused("The class names are neither a list nor a dictionary.")
    return check_labels(said)


def check_labels(names: Iterable[Any]) -> tuple[str, ...]:
    """Refuse names that a person could not tell apart: equal but for letter case or Unicode form."""
    labels = tuple(_cleaned(name) for name in names)
    if len(labels) > MAX_LABELS:
        raise ModelTooBig(f"There are more than {MAX_LABELS:,} class names.")
    for seen, count in Counter(map(folded, labels)).items():
        if count > 1:
            shown = next(label for label in labels if folded(label) == seen)
            raise ModelRefused(f"Two classes share one name but for letter case or spelling: “{shown[:60]}”.")
    return labels


def numbered_twins(names: Iterable[Any]) -> tuple[str, ...]:
    """The names with their class number behind those that occur twice letter by letter. ImageNet has a bird and a
    machine called crane, and published models keep both names."""
    labels = [_cleaned(name) for name in names]
    count = Counter(labels)
    return tuple(f"{label} ({number})" if count[label] > 1 else label for number, label in enumerate(labels))


def folded(label: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", label).casefold())


def _cleaned(name: Any) -> str:
    label = unicodedata.normalize("NFC", str(name).strip()) if isinstance(name, str | int | float) else ""
    if not label or len(label) > MAX_LABEL_LENGTH:
        raise ModelRefused(f"A class name is empty, no text, or longer than {MAX_LABEL_LENGTH} letters.")
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in label):
        raise ModelRefused("A class name holds control characters.")
    return label
