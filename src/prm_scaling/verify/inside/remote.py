"""Tests of a program that is in another process: calls go there and values come back, as plain data.

The tests see what they would see beside the program, as far as plain data goes. An object of a class of the program's
own stays on its side; the tests hold a stand-in for it that can be called, has attributes and can be iterated, and is
equal to nothing but itself.
"""

import builtins
import importlib
import itertools
import time
from collections.abc import Iterator
from typing import Any

from prm_scaling.verify.inside.channel import Channel, Gone
from prm_scaling.verify.inside.plain import MOST_VALUES, Unplain, decode, encode

# How much of a failing test is told.
MOST_TEXT = 300


# --- the program's side ---


class _Objects:
    """Objects that the other side has stand-ins for."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names
        self.known: list[Any] = []

    def encode(self, value: Any) -> Any:
        self.known.append(value)
        return {"t": "object", "v": len(self.known) - 1}

    def decode(self, data: Any) -> Any:
        if data.get("t") == "object":
            return self.known[data["v"]]
        if data.get("t") == "builtin":
            return getattr(builtins, data["v"])
        if data.get("t") == "name":
            return self.names[data["v"]]
        raise Unplain(f"no plain data: {data.get('t')}")


def serve(channel: Channel, names: dict[str, Any]) -> None:
    """Answer requests until the other side ends: ``["value", v]``, ``["raised", name, ""]``, ..."""
    objects = _Objects(names)
    channel.send(["ready", [str(name) for name, value in names.items() if callable(value)]])
    while True:
        request = channel.receive()
        try:
            kind, target, *rest = decode(request, objects.decode)
            channel.send(["value", encode(_act(names, kind, target, rest), objects.encode, tables=True)])
            continue
        except MemoryError:
            answer = ["memory", "", ""]
        except Unplain as error:
            answer = ["refused", str(error), ""]
        except BaseException as error:  # noqa: BLE001 - whatever a program raises, SystemExit too, goes to its caller
            answer = ["raised", type(error).__name__[:80], ""]
        channel.send(answer)


def _act(names: dict[str, Any], kind: str, target: Any, rest: list) -> Any:
    if kind == "call":
        args, keywords = rest
        return (names[target] if type(target) is str else target)(*args, **keywords)
    if kind == "get":
        return getattr(target, rest[0])
    if kind == "set":
        return setattr(target, rest[0], rest[1])
    # A generator may be endless.
    return list(itertools.islice(iter(target), MOST_VALUES))


# --- the tests' side ---


class Stopped(BaseException):
    """The program can give no more answers; not an ``Exception``, so that no test takes it for the program's."""

    def __init__(self, outcome: str) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class ProgramError(Exception):
    """What the program raised, where that is no exception that Python itself has."""


class Session:
    """The tests' end of the channel to the program."""

    def __init__(self, channel: Channel, deadline: float) -> None:
        self.channel = channel
        self.deadline = deadline
        self.raised: Exception | None = None
        self.last = ""

    def receive(self) -> list:
        """The program's next message, a list that begins with a string."""
        try:
            message = self.channel.receive(self.deadline)
        except TimeoutError:
            raise Stopped("timeout") from None
        except Gone:
            raise Stopped("gone") from None
        except (Unplain, MemoryError):
            raise Stopped("refused") from None
        if not (isinstance(message, list) and len(message) >= 2 and isinstance(message[0], str)):
            raise Stopped("refused")
        return message

    def ask(self, kind: str, target: Any, *rest: Any) -> Any:
        """One request and its answer; raises what the program raised."""
        try:
            self.channel.send(encode([kind, target, *rest], self._stand_in))
        except Gone:
            raise Stopped("gone") from None
        told, value, *_ = self.receive()
        if told == "value":
            try:
                return decode(value, self._object)
            except (Unplain, TypeError, AttributeError, RecursionError, MemoryError):
                raise Stopped("refused") from None
        if told in ("memory", "refused"):
            raise Stopped(told)
        kind_of_error: Any = getattr(builtins, value, None) if isinstance(value, str) else None
        if not (isinstance(kind_of_error, type) and issubclass(kind_of_error, Exception)):
            kind_of_error = ProgramError
        try:
            self.raised = kind_of_error(f"raised by the program: {value}")
        except TypeError:  # UnicodeDecodeError and its like want more
            self.raised = ProgramError(value)
        raise self.raised

    def call(self, target: Any, args: tuple, keywords: dict) -> Any:
        """A call of the program's."""
        name = target if isinstance(target, str) else "object"
        self.last = _call_text(name, args, keywords)
        return self.ask("call", target, list(args), keywords)

    def _stand_in(self, value: Any) -> dict:
        if isinstance(value, Object):
            return {"t": "object", "v": object.__getattribute__(value, "_number")}
        if isinstance(value, Function):
            return {"t": "name", "v": value.name}
        name = value.__name__ if type(value) is type else ""
        if name and getattr(builtins, name, None) is value:
            return {"t": "builtin", "v": name}
        raise Unplain(f"a value of type {type(value).__name__[:80]}")

    def _object(self, data: dict) -> "Object":
        if data.get("t") == "object" and type(data.get("v")) is int:
            return Object(self, data["v"])
        raise Unplain("no plain data")


def _call_text(name: str, args: tuple, keywords: dict) -> str:
    pieces, room = [], MOST_TEXT
    for text in (_short(v) for v in args):
        pieces.append(text)
        room -= len(text)
        if room < 0:
            break
    pieces += [f"{k}={_short(v)}" for k, v in keywords.items() if room > 0]
    return f"{name}({', '.join(pieces)})"[:MOST_TEXT]


def _short(value: Any) -> str:
    try:
        return repr(value[:100] if isinstance(value, list | tuple | str) else value)[:MOST_TEXT]
    except ValueError:  # an integer of more digits than Python writes
        return "..."


class Function:
    """A function or class of the program's."""

    def __init__(self, session: Session, name: str) -> None:
        self.session = session
        self.name = name
        self.__name__ = name

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        """A call of it, there."""
        return self.session.call(self.name, args, keywords)


class Object:
    """A stand-in for an object of the program's."""

    def __init__(self, session: Session, number: int) -> None:
        object.__setattr__(self, "_session", session)
        object.__setattr__(self, "_number", number)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._session.ask("get", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._session.ask("set", self, name, value)

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        """A call of it, there."""
        return self._session.call(self, args, keywords)

    def __iter__(self) -> Iterator:
        return iter(self._session.ask("iterate", self))


def run_tests(channel: Channel, payload: dict) -> list:
    """The tests' outcome and the failing test: ``[outcome, test]``; "gone" if the program ended meanwhile."""
    session = Session(channel, time.monotonic() + payload["seconds"])
    now = ""
    try:
        told, callables = session.receive()[:2]
        if told != "ready" or not isinstance(callables, list):
            return [told if told in ("memory", "refused") else "error", ""]
        names = _names(session, payload, {name for name in callables if isinstance(name, str)})
        codes = [compile(text, "tests", "exec") for text in payload["tests"]]
        for text, code in zip(payload["tests"], codes, strict=True):
            now = text
            exec(code, names)
        if payload["check"] and "check" in names and not isinstance(names["check"], Function):
            now = ""
            names["check"](Function(session, payload["entry"]))
        return ["passed", ""]
    except Stopped as stop:
        return [stop.outcome, _failing(payload, now, session)]
    except Unplain as error:
        return ["refused", f"{_failing(payload, now, session)}: {error}"]
    except Exception as error:  # noqa: BLE001 - whatever tests raise, they have not passed
        outcome = "error" if error is session.raised else "wrong"
        return [outcome, _failing(payload, now, session)]


def _names(session: Session, payload: dict, callables: set[str]) -> dict[str, Any]:
    """What the tests' names stand for, where they do not say themselves: the program's functions and classes.

    Not where Python itself has the name, unless the tests use no other: ``set`` and ``len`` in a test are Python's,
    whatever the program makes of them. Nor where they take an attribute of a module of the standard library.
    """
    used = callables.intersection(payload["names"])
    theirs = ({name for name in used if not hasattr(builtins, name)} or used) | {payload["entry"]} - {""}
    names: dict[str, Any] = {"__name__": "tests"}
    names |= {name: Function(session, name) for name in theirs.difference(payload["modules"])}
    names |= {name: importlib.import_module(name) for name in payload["modules"]}
    return names


def _failing(payload: dict, now: str, session: Session) -> str:
    return (session.last if payload["check"] else now.strip())[:MOST_TEXT]
