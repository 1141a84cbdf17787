"""How any label becomes pixels: in the font that Pillow brings where it has the letters, else in one of the machine's,
else without its accents."""

import unicodedata
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFont
from PIL.ImageFont import FreeTypeFont as Font

# Looked for by name in the machine's own folders; a server may well have none of them.
MACHINE_FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "NotoSansCJK-Regular.ttc",
    "NotoSansArabic-Regular.ttf",
    "wqy-zenhei.ttc",
    "Arial Unicode.ttf",
)
NO_SUCH_LETTER = "\U0010fffe"
MAX_LETTERS = 60


def writable(text: str) -> str | None:
    """The text as it can be written here, in one line; None where no font has its letters."""
    text = in_one_line(text)
    plain = "".join(part for part in unicodedata.normalize("NFKD", text) if not unicodedata.combining(part))
    return next((told for told in (text, plain) if _font_for(told, 16)), None)


@lru_cache(maxsize=512)
def lettered(text: str, size: int) -> NDArray[np.uint8]:
    """The text in one line as opacities 0–255, rows × columns, with the room above and below that its font asks for."""
    text = writable(text) or "?"
    font = _font_for(text, size) or _font(None, size)
    ascent, descent = font.getmetrics()
    letters, (x, y) = font.getmask2(text, mode="L")
    width, height = letters.size
    left, top = max(int(x), 0), max(int(y), 0)
    line = np.zeros((max(ascent + descent, top + height), left + width), np.uint8)
    line[top : top + height, left:] = np.frombuffer(bytes(letters), np.uint8).reshape(height, width)
    return line


def in_one_line(text: str) -> str:
    """Without line ends and the marks that turn the direction of what follows: a label stays within its plate."""
    told = "".join(letter if letter.isprintable() else " " for letter in unicodedata.normalize("NFC", text))
    told = " ".join(told.split())
    return told if len(told) <= MAX_LETTERS else told[: MAX_LETTERS - 1] + "…"


def _font_for(text: str, size: int) -> Font | None:
    return next((_font(name, size) for name in (None, *MACHINE_FONTS) if _can_write(name, text)), None)


@lru_cache(maxsize=4096)
def _can_write(name: str | None, text: str) -> bool:
    try:
        font = _font(name, 16)
    except OSError:  # this machine does not have it
        return False
    missing = bytes(font.getmask(NO_SUCH_LETTER))
    return all(letter == " " or bytes(font.getmask(letter)) != missing for letter in set(text))


@lru_cache(maxsize=64)
def _font(name: str | None, size: int) -> Font:
    if name is not None:
        return ImageFont.truetype(name, size)
    own = ImageFont.load_default(size)
    assert isinstance(own, Font), "Pillow's wheels bring FreeType"
    return own
