"""Where steps end in a text: a named segmenter for each way that solutions are laid out.

Every segmenter is lossless: its steps joined are the text, byte for byte. No step is empty, and what separates two
steps belongs to the first of them. ``chains.steps`` carries the ends over to token ids.
"""

import ast
import re
import warnings
from collections.abc import Callable, Iterable
from itertools import pairwise

# Steps that end with ``chains.separator``, for which ``chains.steps`` needs no text.
SEPARATOR = "separator"

LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
STEP_LABEL = re.compile(
    r"^[ \t]*(?:#+[ \t]*|\*\*)?step:?[ \t]*\d+[ \t]*(?:\*\*)?[ \t]*[:.)\-]", re.MULTILINE | re.IGNORECASE
)
ITEM = re.compile(r"^( {0,3})(?:\*\*)?(\d{1,3})[.)](?=\s|\*\*)", re.MULTILINE)
FENCE = re.compile(r"^[ \t]*```[^\n`]*$", re.MULTILINE)
SHEPHERD_TAG = re.compile(r"ки")


def lines(text: str) -> list[str]:
    """A step a line, as in the embedded problems.

    >>> lines("7 + 5 = 1\\n#### 1")
    ['7 + 5 = 1\\n', '#### 1']
    """
    return _cut(text, (found.end() for found in LINE.finditer(text)))


def blank_lines(text: str) -> list[str]:
    """Paragraphs: the layout of Qwen2.5-Math's solutions, and of ProcessBench and PRMBench.

    >>> blank_lines("First.\\n\\n\\nThen\\nso.\\n\\n")
    ['First.\\n\\n\\n', 'Then\\nso.\\n\\n']
    """
    ends, place, blank = [], 0, False
    for row in LINE.findall(text):
        if row.strip() and blank:
            ends.append(place)
        blank = not row.strip()
        place += len(row)
    return _cut(text, ends)


def step_labels(text: str) -> list[str]:
    """Steps that begin with ``Step k:``, as prompts ask for; what comes before the first is a step of its own.

    >>> step_labels("So:\\nStep 1: a\\nb\\nStep 2: c")
    ['So:\\n', 'Step 1: a\\nb\\n', 'Step 2: c']
    """
    return _cut(text, (found.start() for found in STEP_LABEL.finditer(text)))


def numbered_list(text: str) -> list[str]:
    """Items ``1.``, ``2.``, ... of a list; a number that is not the next one begins no item.

    >>> numbered_list("1. We add\\n7. is no item\\n2. so 8")
    ['1. We add\\n7. is no item\\n', '2. so 8']
    """
    ends: list[int] = []
    expected, indent = 1, 3
    for found in ITEM.finditer(text):
        depth, number = len(found[1]), int(found[2])
        if (number == 1 and depth <= indent) or (number == expected and depth == indent):
            ends.append(found.start())
            expected, indent = number + 1, depth
    return _cut(text, ends)


def shepherd_tags(text: str) -> list[str]:
    """Math-Shepherd's solutions, in which the tag ``ки`` ends each step."""
    return _cut(text, (found.end() for found in SHEPHERD_TAG.finditer(text)))


def code(text: str) -> list[str]:
    """Python by statements: of the module, of functions and of classes; other blocks stay whole.

    Signatures keep their docstring, statements the comments above them. Code may be fenced, with text around it that
    is cut at blank lines; it may be the body of a function whose signature the prompt has. Code that does not parse
    is cut at its lines.

    >>> code("def f(x):\\n    y = x\\n    if y:\\n        y = 1\\n    return y\\n")
    ['def f(x):\\n', '    y = x\\n', '    if y:\\n        y = 1\\n', '    return y\\n']
    """
    fences = [found.span() for found in FENCE.finditer(text)]
    if not fences:
        return _statements(text)
    steps, place = [], 0
    # Opening and closing fences in turns; the last may be left open.
    for i in range(0, len(fences), 2):
        start, after = fences[i][0], _line_end(text, fences[i][1])
        close = fences[i + 1][0] if i + 1 < len(fences) else len(text)
        end = _line_end(text, fences[i + 1][1]) if i + 1 < len(fences) else len(text)
        inside = _statements(text[after:close]) or [""]
        inside[0] = text[start:after] + inside[0]
        inside[-1] += text[close:end]
        steps += [*blank_lines(text[place:start]), *inside]
        place = end
    return _joined([*steps, *blank_lines(text[place:])])


def _line_end(text: str, place: int) -> int:
    """The place after the end of the line."""
    return place if place == len(text) else text.index("\n", place) + 1


SEGMENTERS: dict[str, Callable[[str], list[str]]] = {
    "lines": lines,
    "blank_lines": blank_lines,
    "step_labels": step_labels,
    "numbered_list": numbered_list,
    "shepherd_tags": shepherd_tags,
    "code": code,
}


def _cut(text: str, ends: Iterable[int]) -> list[str]:
    """The text in pieces that end there, none of them blank alone."""
    places = sorted({0, *ends, len(text)})
    return _joined([text[a:b] for a, b in pairwise(places)])


def _joined(pieces: list[str]) -> list[str]:
    """The pieces, with those of white space alone joined to the one before, or else to the one after."""
    steps: list[str] = []
    for piece in pieces:
        if steps and not (piece.strip() and steps[-1].strip()):
            steps[-1] += piece
        elif piece:
            steps.append(piece)
    return steps


def _statements(text: str) -> list[str]:
    tree = _parsed(text)
    if tree is None:
        return lines(text)
    rows = LINE.findall(text)
    places = [0]
    for row in rows:
        places.append(places[-1] + len(row))
    return _cut(text, (places[row] for row in _first_rows(tree.body, rows, 0)))


def _parsed(text: str) -> ast.Module | None:
    """The syntax tree, with rows counted from 0; also of a function's body, with or without its first indentation."""
    for before in ("", "def _():\n", "def _():\n    "):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of strange escapes: they are the program's matter
                tree = ast.parse(before + text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        return ast.increment_lineno(tree, -1 - before.count("\n"))  # type: ignore[return-value]
    return None


def _first_rows(body: list[ast.stmt], rows: list[str], floor: int) -> Iterable[int]:
    """The rows in which steps begin: statements, with the comments right above them, though not above ``floor``."""
    for place, statement in enumerate(body):
        first = (getattr(statement, "decorator_list", None) or [statement])[0]
        row = first.lineno
        documents = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        # A statement that shares its first row with another is no step of its own.
        alone = rows[row].encode()[: first.col_offset].strip() in (b"", b"@")
        if alone and not (place == 0 and documents):
            while row > floor and rows[row - 1].lstrip().startswith("#"):
                row -= 1
            yield row
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _first_rows(statement.body, rows, statement.lineno + 1)
        floor = (statement.end_lineno or row) + 1
