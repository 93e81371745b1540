"""Converts the arguments of facekit's Python functions to the records that tasks expect."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, get_args, get_type_hints

import numpy as np

from facekit.enums import FacePolicy, Metric
from facekit.errors import UsageError
from facekit.tasks.open_pipeline import PipelineRequest
from facekit.template.threshold import ThresholdChoice

Choice = TypeVar("Choice", bound=Enum)
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def choice(kind: type[Choice], word: Choice | str, name: str) -> Choice:
    """Returns the member of an enum with this value.

    Raises UsageError, which lists the valid values.
    """
    try:
        return kind(word)
    except ValueError:
        words = ", ".join(repr(member.value) for member in kind)
        raise UsageError(f"{name} must be one of {words}. Received: {word!r}") from None


def optional_choice(kind: type[Choice], word: Choice | str | None, name: str) -> Choice | None:
    """Returns the member like `choice`, or None for None."""
    return None if word is None else choice(kind, word, name)


def optional_path(path: str | Path | None) -> Path | None:
    """Returns a path that may be given as text; None for None."""
    return None if path is None else Path(path)


def pipeline_request(
    model: str | Path | None, face: FacePolicy | str | None, request: PipelineRequest | None
) -> PipelineRequest:
    """Returns `request` with the model and the face policy that are given beside it.

    Without `request`, nothing is fetched or built.
    """
    request = request or PipelineRequest(build_missing=False)
    if model is not None:
        request = replace(request, model=os.fspath(model))
    if face is not None:
        request = replace(request, face=choice(FacePolicy, face, "face"))
    return request


def threshold_choice(
    threshold: float | None,
    metric: Metric | str,
    min_similarity: float | None,
    fmr: float | str | None,
) -> ThresholdChoice:
    """What verbs take of a threshold, in one record.  Raises UsageError."""
    return ThresholdChoice(threshold, choice(Metric, metric, "metric"), min_similarity, fmr)


def listed(pictures: Iterable[Any]) -> list[Any]:
    """Returns several photos as a list.  Raises UsageError for one photo if a list is needed."""
    if isinstance(pictures, (str, bytes, os.PathLike, np.ndarray)) or hasattr(pictures, "read"):
        raise UsageError(f"A list of pictures is needed. Received: one {type(pictures).__name__}")
    return list(pictures)


def names(photos: Iterable[str | Path]) -> list[str]:
    """Returns paths of photos and folders as tasks expect them.  Raises UsageError for one path."""
    return [os.fspath(photo) for photo in listed(photos)]


def by_words(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Returns the same function, which also accepts enum values, and text for a path."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def called(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        kinds = get_type_hints(function)
        bound = signature.bind(*args, **kwargs)
        for name, value in bound.arguments.items():
            members = _members(kinds.get(name))
            enums = [kind for kind in members if _is_enum(kind)]
            if isinstance(value, str) and Path in members and str not in members:
                bound.arguments[name] = Path(value)
            elif not enums or value is None:
                continue
            elif isinstance(value, (list, tuple)):
                bound.arguments[name] = [choice(enums[0], one, name) for one in value]
            else:
                bound.arguments[name] = choice(enums[0], value, name)
        return function(*bound.args, **bound.kwargs)

    return called


def _members(kind: Any) -> list[Any]:
    """Returns the types that an annotation consists of: for `Sequence[Stage] | None` also Stage."""
    return [kind, *(member for part in get_args(kind) for member in _members(part))]


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)
