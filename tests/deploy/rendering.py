"""As much of Helm's template language as our chart speaks; a word that is not known here fails the test."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ACTION = re.compile(r"(?:\s*\{\{-|\{\{)\s*(.*?)\s*(?:-\}\}\s*|\}\})", re.DOTALL)
WORD = re.compile(r'"[^"]*"|\S+')
Node = tuple[str, str, "list[Node]"]  # what it is, its words, what stands inside


class Chart:
    """A chart's folder, with values on top of its own."""

    def __init__(self, folder: Path, values: Mapping[str, Any]) -> None:
        about = yaml.safe_load((folder / "Chart.yaml").read_text())
        self.values = merged(yaml.safe_load((folder / "values.yaml").read_text()), values)
        self._templates = folder / "templates"
        self._names: dict[str, Any] = {
            "Values": self.values,
            "Release": {"Name": "test", "Service": "Helm"},
            "Chart": {"AppVersion": about["appVersion"]},
        }
        self._defined: dict[str, list[Node]] = {}
        for file in self._templates.glob("*.tpl"):
            self._said(parsed(file.read_text()))

    def objects(self) -> list[dict[str, Any]]:
        texts = [self._said(parsed(file.read_text())) for file in sorted(self._templates.glob("*.yaml"))]
        return [made for text in texts for made in yaml.safe_load_all(text) if made is not None]

    def _said(self, nodes: list[Node]) -> str:
        return "".join(self._say(*node) for node in nodes)

    def _say(self, kind: str, words: str, inside: list[Node]) -> str:
        match kind:
            case "text":
                return words
            case "define":
                self._defined[words.strip('"')] = inside
                return ""
            case "if":
                return self._said(inside) if self._value(words) else ""
            case "range":
                return "".join(self._turns(words, inside))
        return str(self._value(words))

    def _turns(self, words: str, inside: list[Node]) -> Iterator[str]:
        key, value, among = re.fullmatch(r"(\$\w+), (\$\w+) := (\S+)", words).groups()  # type: ignore[union-attr]
        for name, told in sorted(self._value(among).items()):
            self._names |= {key: name, value: told}
            yield self._said(inside)

    def _value(self, expression: str) -> Any:
        piped: list[Any] = []
        for stage in expression.split(" | "):
            first, *rest = WORD.findall(stage)
            if first in FUNCTIONS or first == "include":
                given = [*(self._plain(word) for word in rest), *piped]
                piped = [self._said(self._defined[given[0]]) if first == "include" else FUNCTIONS[first](*given)]
            else:
                piped = [self._plain(first)]
        return piped[0]

    def _plain(self, word: str) -> Any:
        if word.startswith('"'):
            return word.strip('"')
        if word.isdigit():
            return int(word)
        if word == ".":
            return self._names
        found: Any = self._names
        for name in [word] if word.startswith("$") else word.removeprefix(".").split("."):
            found = found[name]
        return found


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "default": lambda usual, told: told or usual,
    "nindent": lambda depth, text: "".join(f"\n{' ' * depth}{line}" for line in text.splitlines()),
    "not": lambda told: not told,
    "quote": lambda told: json.dumps(str(told)),
    "sha256sum": lambda text: hashlib.sha256(text.encode()).hexdigest(),
    "toJson": json.dumps,
    "toYaml": lambda told: yaml.safe_dump(told).rstrip(),
}


def parsed(text: str) -> list[Node]:
    pieces = ACTION.split(text)
    return _inside(iter([("action" if at % 2 else "text", piece) for at, piece in enumerate(pieces)]))


def _inside(pieces: Iterator[tuple[str, str]]) -> list[Node]:
    nodes: list[Node] = []
    for kind, piece in pieces:
        word, _, rest = piece.partition(" ")
        if kind == "text":
            nodes.append(("text", piece, []))
        elif word == "end":
            break
        elif word in {"define", "if", "range"}:
            nodes.append((word, rest, _inside(pieces)))
        else:
            nodes.append(("say", piece, []))
    return nodes


def merged(usual: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    both = {**usual, **wanted}
    for name, told in wanted.items():
        if isinstance(told, Mapping) and isinstance(usual.get(name), Mapping):
            both[name] = merged(usual[name], told)
    return both
