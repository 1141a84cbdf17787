"""How things are said on pages: translated texts, amounts, sizes and moments."""

import gettext
import io
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache, partial
from pathlib import Path

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.support import Translations
from markupsafe import Markup, escape

LOCALES = Path(__file__).parent.parent / "locale"
ENGLISH = "en"
COOKIE = "retinue-language"


@cache
def languages() -> Mapping[str, str]:
    """What each calls itself. English stands in the templates themselves; every other language is a catalogue."""
    codes = (ENGLISH, *sorted(file.stem for file in LOCALES.glob("*.po")))
    return {code: (Locale.parse(code).get_display_name() or code).capitalize() for code in codes}


@cache
def catalogue(language: str) -> Catalog:
    with (LOCALES / f"{language}.po").open("rb") as opened:
        return read_po(opened, locale=language)


@cache
def translations(language: str) -> gettext.NullTranslations:
    """Compiled when somebody first asks for it: no file beside the catalogue can be older than it."""
    if language == ENGLISH:
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, catalogue(language))
    compiled.seek(0)
    return Translations(compiled)


@cache
def script_words(language: str) -> Mapping[str, str]:
    """What scripts say, in that language; English stands in the scripts themselves."""
    if language == ENGLISH:
        return {}
    told = [one for one in catalogue(language) if any("/static/" in place for place, _ in one.locations)]
    return {str(one.id): str(one.string) for one in told}


def text(words: str) -> str:
    """Marks a text that stands in Python for the catalogues; templates translate it where it is shown."""
    return words


# What the API names with one word of a closed list, said in the reader's language.
TERMS = frozenset(
    {
        *(text("classify"), text("detect"), text("segment"), text("inpaint")),
        *(text("PENDING"), text("RUNNING"), text("COMPLETED"), text("FAILED"), text("ABORTED")),
        *(text("ready"), text("active"), text("retired")),
        *(text("user"), text("operator"), text("admin")),
        *(text("complete"), text("overridden"), text("incomplete"), text("refused")),
        *(text("waiting"), text("sending"), text("delivered"), text("failed")),
    }
)


def term(language: str, word: str) -> str:
    return translations(language).gettext(word) if word in TERMS else word


def language_of(chosen: str, accepted: str) -> str:
    """What a person chose in this browser, else the first language of the browser's own list that we speak."""
    if chosen in languages():
        return chosen
    for wish in accepted.split(","):
        name = wish.split(";")[0].strip().lower().split("-")[0]
        if name in languages():
            return name
    return ENGLISH


def credit_amount(language: str, hundredths: int | float) -> str:
    """9725 → 97.25: two places always."""
    return format_decimal(hundredths / 100, format="#,##0.00", locale=language)


def number(language: str, value: float | int | None, places: int = 0) -> str:
    if value is None:
        return "–"
    return format_decimal(value, format="#,##0" + ("." + "0" * places if places else ""), locale=language)


def size(language: str, size_bytes: int) -> str:
    amount = float(size_bytes)
    for unit in ("bytes", "KB", "MB", "GB"):
        if amount < 1024 or unit == "GB":
            return f"{number(language, amount, 1 if unit in {'MB', 'GB'} and amount < 100 else 0)} {unit}"
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


def filters(language: str) -> Mapping[str, Callable[..., str]]:
    """Numbers as the scripts of the page write them too."""
    return {
        "credits": partial(credit_amount, language),
        "number": partial(number, language),
        "size": partial(size, language),
        "term": partial(term, language),
        "moment": moment,
        "short_id": short_id,
    }
