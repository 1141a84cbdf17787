"""How things are said on pages: translated texts, amounts, sizes and moments."""

import gettext
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path

from babel.numbers import format_decimal
from babel.support import Translations
from markupsafe import Markup, escape

LOCALES = Path(__file__).parent.parent / "locale"
DOMAIN = "retinue"
ENGLISH = "en"


@cache
def languages() -> tuple[str, ...]:
    """English stands in the templates themselves; every other language is a folder with a compiled catalogue."""
    found = sorted(file.parent.parent.name for file in LOCALES.glob(f"*/LC_MESSAGES/{DOMAIN}.mo"))
    return (ENGLISH, *(name for name in found if name != ENGLISH))


@cache
def translations(language: str) -> gettext.NullTranslations:
    if language == ENGLISH:
        return gettext.NullTranslations()
    return Translations.load(LOCALES, [language], DOMAIN)


def script_words(language: str) -> dict[str, str]:
    """What scripts say, in that language; English stands in the scripts themselves."""
    known = translations(language)
    return (
        {} if not isinstance(known, Translations) else {str(words): str(said) for words, said in known._catalog.items()}
    )


def text(words: str) -> str:
    """Marks a text that stands in Python for the catalogues; templates translate it where it is shown."""
    return words


def language_of(accepted: str) -> str:
    """The first language of the browser's list that we speak."""
    for wish in accepted.split(","):
        name = wish.split(";")[0].strip().lower().split("-")[0]
        if name in languages():
            return name
    return ENGLISH


def credit_amount(hundredths: int | float) -> str:
    """9725 → 97.25: two places always."""
    return format_decimal(hundredths / 100, format="#,##0.00", locale=ENGLISH)


def number(value: float | int | None, places: int = 0) -> str:
    if value is None:
        return "–"
    return format_decimal(value, format="#,##0" + ("." + "0" * places if places else ""), locale=ENGLISH)


def size(size_bytes: int) -> str:
    amount = float(size_bytes)
    for unit in ("bytes", "KB", "MB", "GB"):
        if amount < 1024 or unit == "GB":
            return f"{number(amount, 1 if unit in {'MB', 'GB'} and amount < 100 else 0)} {unit}"
        amount /= 1024
    raise AssertionError("GB is the last")


def moment(at: datetime | str | None) -> Markup:
    """In UTC; the page's script rewrites it in the reader's own time."""
    if at is None:
        return Markup("–")
    when = datetime.fromisoformat(at) if isinstance(at, str) else at
    return Markup('<time datetime="{}">{}</time>').format(
        when.isoformat(timespec="seconds"), when.strftime("%Y-%m-%d %H:%M UTC")
    )


def short_id(long_id: str) -> Markup:
    """The end of a UUIDv7 is what tells two of one second apart."""
    return Markup('<code title="{}">…{}</code>').format(escape(long_id), escape(long_id[-8:]))


FILTERS: Mapping[str, Callable[..., str]] = {
    "credits": credit_amount,
    "number": number,
    "size": size,
    "moment": moment,
    "short_id": short_id,
}
