"""A door: a kind of input with sound examples of it, how they are spoilt, and what reads them."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TypeAlias

from facekit.errors import FacekitError
from tests.fuzz.mutate import Mutator, mutant

Use: TypeAlias = Callable[[Path], "str | None"]
"""Does with a file all that facekit may do with it; raises a FacekitError where it is refused.

May return what was answered, where several answers are no refusal.
"""
LONGEST_S = 10.0
_MOST_LEARNED = 3_000
_MISTAKE = 70
_VARIABLE = re.compile(r"'[^']*'|\b0?x[0-9a-f]+|\d+|/\S+|\[.*\]")
"""What differs in messages of one kind."""


@dataclass(frozen=True, slots=True)
class Door:
    """A kind of input that comes from outside."""

    seeds: Callable[[], Mapping[str, list[bytes]]]
    """Makes the sound inputs, by the suffix of their file."""
    mutators: Mapping[str, tuple[Mutator, ...]]
    """How each suffix's inputs are changed."""
    open: Callable[[Path], Use]
    """Prepares what reads the inputs, in an empty folder of its own."""
    most_bytes: int = 200_000_000
    """Memory that reading one input may take, as promised."""
    longest: int = 200_000
    """Bytes that an input may have, so that it is quick."""
    are_parts: bool = False
    """Whether the seeds are parts of what is read, which may be refused for what they lack."""


@dataclass(frozen=True, slots=True)
class Spoilt:
    """An input that is almost sound."""

    suffix: str
    content: bytes


class Source:
    """Makes one input after the other out of the seeds, the same ones for the same number.

    An input that is answered as none before becomes a seed too.
    """

    def __init__(self, door: Door, seed: int) -> None:
        self._door = door
        self._sound = door.seeds()
        self._learned: dict[str, list[bytes]] = {suffix: [] for suffix in self._sound}
        self._random = Random(seed)
        self._answers = set[str]()

    @property
    def sound(self) -> Iterator[Spoilt]:
        """The seeds."""
        for suffix, contents in self._sound.items():
            yield from (Spoilt(suffix, content) for content in contents)

    def next(self) -> Spoilt:
        suffix = self._random.choice(list(self._sound))
        seeds, mutators = self._sound[suffix], self._door.mutators[suffix]
        if self._learned[suffix] and self._random.random() < 0.25:
            seeds = self._learned[suffix]
        return Spoilt(suffix, mutant(seeds, self._random, mutators, longest=self._door.longest))

    def learn(self, spoilt: Spoilt, answer: str) -> None:
        """Makes a seed of the input if none before had this answer, whatever names it holds."""
        kind = _VARIABLE.sub("", answer)[:200]
        if kind not in self._answers and len(self._answers) < _MOST_LEARNED:
            self._answers.add(kind)
            self._learned[spoilt.suffix].append(spoilt.content)


def attempt(use: Use, spoilt: Spoilt, folder: Path) -> tuple[bool, str]:
    """Gives the input to what reads it; returns whether that accepts it, and what is answered.

    Raises whatever facekit has not foreseen, which a user would see as exit code 70 or 1.
    """
    path = folder / f"input{spoilt.suffix}"
    path.write_bytes(spoilt.content)
    try:
        return True, use(path) or ""
    except FacekitError as error:
        if error.exit_code == _MISTAKE:
            raise
        return False, f"{type(error).__name__}: {error}"


def memory_folder() -> str | None:
    """A folder whose files lie in memory, None for the usual one where there is none."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


class Refused(FacekitError):
    """What a command said when it ended with an exit code of an error."""

    exit_code = 2


def run_command(*arguments: str | Path) -> str:
    """Runs a command of facekit in this process; returns what it wrote on stdout.

    Raises Refused if it tells an error, AssertionError for an exit code that no error has, and
    whatever the command raises, for which the program would exit with 70.
    """
    from facekit.cli import cli

    out, said = io.StringIO(), io.StringIO()
    code: object = None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
        try:
            cli.main([str(one) for one in arguments])
        except SystemExit as ended:
            code = ended.code
    if code in (None, 0, 1) and "error: " not in said.getvalue():
        return out.getvalue()
    assert code in (2, 3, 4, 5, 6, 7), f"exit code {code}: {said.getvalue()}"
    raise Refused(said.getvalue())
