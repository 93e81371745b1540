"""Options that say at which threshold two faces are of one person."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from facekit.cli.options import EnumChoice
from facekit.cli.types import Real
from facekit.enums import Metric, NamedPoint


class Rate(click.ParamType):  # type: ignore[type-arg]  # older clicks have no parameter
    """A rate between 0 and 1, both excluded, or one of `words`."""

    name = "rate"

    def __init__(self, *words: str) -> None:
        self._words = words

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value in self._words:
            return value
        try:
            rate = float(value)
        except ValueError:
            rate = float("nan")
        if not 0.0 < rate < 1.0:
            needed = " or ".join(("a number between 0 and 1, both excluded,", *self._words))
            self.fail(f"{needed.rstrip(',')} needed. Received: {value!r}", param, ctx)
        return rate


RATE = Rate()

min_margin_option = click.option(
    "--min-margin",
    metavar="COSINE",
    type=Real(0, 2),
    help="Name nobody who is less than this much more similar than the second person; 0 names "
    "always.",
    show_default="the card's",
)


def threshold_options(*, default: str = "") -> Callable[[Callable[..., None]], Callable[..., None]]:
    """--metric, --threshold, --min-similarity and --fmr as the argument `choice`.

    `default`: what holds without any of the last three, for the help page.
    """
    options = (
        click.option(
            "--metric",
            type=EnumChoice(Metric),
            default=Metric.COSINE.value,
            help="Distance that is shown and that --threshold is in; it never changes the "
            "decision.",
        ),
        click.option(
            "--threshold",
            type=Real(0),
            metavar="DISTANCE",
            help="Largest distance of one person's faces, in --metric.",
        ),
        click.option(
            "--min-similarity",
            type=Real(-1, 1),
            metavar="COSINE",
            help="Least cosine similarity of one person's faces.",
        ),
        click.option(
            "--fmr",
            type=Rate(NamedPoint.BEST_ACCURACY.value),
            metavar="RATE|best-accuracy",
            help="The card's threshold at this false match rate of one comparison, such as 5e-4, "
            "or where its accuracy is best.",
            show_default=default or None,
        ),
    )

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def chosen(
            *,
            metric: Metric,
            threshold: float | None,
            min_similarity: float | None,
            fmr: float | str | None,
            **others: Any,
        ) -> None:
            from facekit.template.threshold import ThresholdChoice

            command(choice=ThresholdChoice(threshold, metric, min_similarity, fmr), **others)

        for option in reversed(options):
            chosen = option(chosen)
        return chosen

    return decorate
