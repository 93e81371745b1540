"""The learning rate at each step."""

from __future__ import annotations

import math

from facekit.train.config import OptimiserConfig, ScheduleName


def learning_rate(
    config: OptimiserConfig, step: int, *, steps_per_epoch: int, epochs: int
) -> float:
    """Of the step that is about to be done, 0 being the first.

    The warm-up rises in a straight line to the full rate (Goyal et al. 2017, sec. 2.2); the cosine
    is that of Loshchilov & Hutter 2017, eq. 5, over what is left after it, without restarts.
    """
    warmup = round(config.warmup_epochs * steps_per_epoch)
    if step < warmup:
        return config.rate * (step + 1) / (warmup + 1)
    if config.schedule is ScheduleName.STEP:
        falls = sum(step >= epoch * steps_per_epoch for epoch in config.step_epochs)
        return config.rate * config.step_factor**falls
    if config.schedule is ScheduleName.COSINE:
        total = max(steps_per_epoch * epochs - warmup, 1)
        height = (1 + math.cos(math.pi * min((step - warmup) / total, 1.0))) / 2
        return config.rate * (config.final_share + (1 - config.final_share) * height)
    return config.rate
