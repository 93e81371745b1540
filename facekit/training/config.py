"""What a training run is asked for, and which values make sense; config_file.py reads it."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

from facekit.enums import Architecture, TrainingLoss


class OptimizerName(str, Enum):
    SGD = "sgd"
    ADAM = "adam"
    RMSPROP = "rmsprop"
    ADAGRAD = "adagrad"


class ScheduleName(str, Enum):
    CONSTANT = "constant"
    STEP = "step"
    COSINE = "cosine"


class ComputePrecision(str, Enum):
    """What the net computes in; its variables, the loss and the result are float32."""

    FLOAT32 = "float32"
    BFLOAT16 = "mixed_bfloat16"
    FLOAT16 = "mixed_float16"
    """with dynamic loss scaling"""


@dataclass(frozen=True, slots=True)
class OptimizerConfig:
    name: OptimizerName = OptimizerName.SGD
    rate: float = 0.05
    """learning rate at the start, after the warm-up"""
    momentum: float = 0.9
    weight_decay: float = 5e-4
    """decoupled: a step takes off rate x weight_decay of each kernel; biases and batch norms not"""
    clip_norm: float = 0.0
    """greatest L2 norm of a variable's gradient; 0 for no limit"""
    schedule: ScheduleName = ScheduleName.COSINE
    warmup_epochs: float = 0.0
    step_epochs: tuple[int, ...] = ()
    """epochs at whose start the rate falls, for "step" """
    step_factor: float = 0.1
    final_share: float = 0.01
    """what is left of the rate at the end, for "cosine" """

    def rate_at(self, step: int, *, steps_per_epoch: int, epochs: int) -> float:
        """The learning rate of the step that is about to be done, 0 being the first.

        The warm-up rises in a straight line to the full rate (Goyal et al. 2017, sec. 2.2); the
        cosine is that of Loshchilov & Hutter 2017, eq. 5, over what is left after it, without
        restarts.
        """
        warmup = round(self.warmup_epochs * steps_per_epoch)
        if step < warmup:
            return self.rate * (step + 1) / (warmup + 1)
        if self.schedule is ScheduleName.STEP:
            falls = sum(step >= epoch * steps_per_epoch for epoch in self.step_epochs)
            return self.rate * self.step_factor**falls
        if self.schedule is ScheduleName.COSINE:
            total = max(steps_per_epoch * epochs - warmup, 1)
            height = (1 + math.cos(math.pi * min((step - warmup) / total, 1.0))) / 2
            return self.rate * (self.final_share + (1 - self.final_share) * height)
        return self.rate


@dataclass(frozen=True, slots=True)
class LossConfig:
    """Each number is read by the losses that have it."""

    label_smoothing: float = 0.0
    center_weight: float = 0.003
    """lambda of Wen et al. 2016; facenet's --center_loss_factor"""
    center_rate: float = 0.5
    """alpha of Wen et al. 2016, 0..1; facenet's 1 - --center_loss_alfa"""
    triplet_margin: float = 0.2
    """alpha of FaceNet, in squared distance"""
    angular_margin: int = 4
    """m of SphereFace"""
    lambda_start: float = 1000.0
    """SphereFace's annealing: lambda = max(lambda_min, lambda_start / (1 + lambda_gamma step))"""
    lambda_gamma: float = 0.12
    lambda_min: float = 5.0
    arc_margin: float = 0.5
    """m of ArcFace, in radians"""
    arc_scale: float = 64.0
    """s of ArcFace"""


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """How a crop is changed each time that it is seen."""

    random_crop: bool = True
    """a window of the net's size anywhere in the crop; without, its center"""
    flip: bool = True
    rotate_degrees: float = 0.0
    """at most so far either way"""
    zoom: float = 0.0
    """at most this share larger or smaller"""
    brightness: float = 0.0
    """at most so many pixel values, 0..255, up or down"""
    contrast: float = 0.0
    """at most this share more or less"""
    saturation: float = 0.0
    erase: float = 0.0
    """sides, as a share of the net's, of a square that is covered by noise; 0 for none"""


@dataclass(frozen=True, slots=True)
class FineTuneConfig:
    """For weights that exist already (--start-from)."""

    imprint: bool = True
    """begin with each person's mean embedding as the head's weights (Qi et al. 2018, "Low-Shot
    Learning with Imprinted Weights"), for losses of cosines; without, with random ones"""
    head_epochs: int = 0
    """first epochs that train the new head alone"""
    net_rate_share: float = 0.1
    """learning rate of the net as a share of the head's"""
    freeze_batch_norm: bool = True
    """keep the statistics and offsets of batch norms as they came"""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """A training run, all but its data and folders."""

    architecture: Architecture = Architecture.INCEPTION_RESNET_V1
    loss: TrainingLoss = TrainingLoss.SOFTMAX
    embedding_size: int = 512
    """of fresh weights, as `architecture`; others have their own"""
    epochs: int = 90
    batch_size: int = 90
    """photos a step, over all replicas"""
    photos_per_person: int = 0
    """so many of each person in a batch (triplet); 0: photos are shuffled freely"""
    steps_per_epoch: int = 0
    """0: as many as the photos fill"""
    dropout: float = 0.0
    """share of the features before the last layer that a step leaves out"""
    batch_norm_momentum: float = 0.0
    """of the moving statistics; 0: as the graph has it.  0.995 needs some 1,000 steps to settle"""
    seed: int = 0
    precision: ComputePrecision = ComputePrecision.FLOAT32
    held_out: float = 0.0
    """share of each person's photos, of those with two or more, that is kept for testing"""
    checkpoint_steps: int = 0
    """steps between two checkpoints; there is one at the end of each epoch besides"""
    keep_checkpoints: int = 3
    memory_mb: int = 1024
    """crops of one size are kept decoded in memory where they take no more"""
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    losses: LossConfig = field(default_factory=LossConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    finetune: FineTuneConfig = field(default_factory=FineTuneConfig)

    def __post_init__(self) -> None:
        for where, value, allowed in (
            ("embedding_size", self.embedding_size, self.embedding_size >= 1),
            ("epochs", self.epochs, self.epochs >= 1),
            ("batch_size", self.batch_size, self.batch_size >= 2),
            ("photos_per_person", self.photos_per_person, self.photos_per_person >= 0),
            ("steps_per_epoch", self.steps_per_epoch, self.steps_per_epoch >= 0),
            ("dropout", self.dropout, 0 <= self.dropout < 1),
            (
                "batch_norm_momentum",
                self.batch_norm_momentum,
                0 <= self.batch_norm_momentum < 1,
            ),
            ("seed", self.seed, 0 <= self.seed < 2**31),
            ("held_out", self.held_out, 0 <= self.held_out < 1),
            ("checkpoint_steps", self.checkpoint_steps, self.checkpoint_steps >= 0),
            ("keep_checkpoints", self.keep_checkpoints, self.keep_checkpoints >= 1),
            ("memory_mb", self.memory_mb, self.memory_mb >= 0),
            ("optimizer.rate", self.optimizer.rate, self.optimizer.rate > 0),
            ("optimizer.momentum", self.optimizer.momentum, 0 <= self.optimizer.momentum < 1),
            (
                "optimizer.weight_decay",
                self.optimizer.weight_decay,
                0 <= self.optimizer.weight_decay < 1,
            ),
            ("optimizer.clip_norm", self.optimizer.clip_norm, self.optimizer.clip_norm >= 0),
            (
                "optimizer.warmup_epochs",
                self.optimizer.warmup_epochs,
                self.optimizer.warmup_epochs >= 0,
            ),
            ("optimizer.step_factor", self.optimizer.step_factor, self.optimizer.step_factor > 0),
            (
                "optimizer.final_share",
                self.optimizer.final_share,
                0 <= self.optimizer.final_share <= 1,
            ),
            (
                "losses.label_smoothing",
                self.losses.label_smoothing,
                0 <= self.losses.label_smoothing < 1,
            ),
            ("losses.center_weight", self.losses.center_weight, self.losses.center_weight >= 0),
            ("losses.center_rate", self.losses.center_rate, 0 < self.losses.center_rate <= 1),
            ("losses.triplet_margin", self.losses.triplet_margin, self.losses.triplet_margin > 0),
            (
                "losses.angular_margin",
                self.losses.angular_margin,
                1 <= self.losses.angular_margin <= 4,
            ),
            ("losses.lambda_start", self.losses.lambda_start, self.losses.lambda_start >= 0),
            ("losses.lambda_gamma", self.losses.lambda_gamma, self.losses.lambda_gamma >= 0),
            ("losses.lambda_min", self.losses.lambda_min, self.losses.lambda_min >= 0),
            ("losses.arc_margin", self.losses.arc_margin, 0 <= self.losses.arc_margin < 1.57),
            ("losses.arc_scale", self.losses.arc_scale, self.losses.arc_scale > 0),
            (
                "augment.rotate_degrees",
                self.augment.rotate_degrees,
                0 <= self.augment.rotate_degrees <= 180,
            ),
            ("augment.zoom", self.augment.zoom, 0 <= self.augment.zoom < 1),
            ("augment.brightness", self.augment.brightness, 0 <= self.augment.brightness <= 255),
            ("augment.contrast", self.augment.contrast, 0 <= self.augment.contrast < 1),
            ("augment.saturation", self.augment.saturation, 0 <= self.augment.saturation < 1),
            ("augment.erase", self.augment.erase, 0 <= self.augment.erase < 1),
            ("finetune.head_epochs", self.finetune.head_epochs, self.finetune.head_epochs >= 0),
            (
                "finetune.net_rate_share",
                self.finetune.net_rate_share,
                self.finetune.net_rate_share >= 0,
            ),
        ):
            if not allowed:
                raise ValueError(f"{where} is out of its range. Received: {value}")
        if self.loss is TrainingLoss.TRIPLET and self.photos_per_person < 2:
            raise ValueError(
                "loss triplet needs photos_per_person of 2 or more. "
                f"Received: {self.photos_per_person}"
            )
        if self.photos_per_person and self.batch_size % self.photos_per_person:
            raise ValueError(
                "batch_size must be a multiple of photos_per_person. "
                f"Received: {self.batch_size} and {self.photos_per_person}"
            )
        steps = self.optimizer.step_epochs
        if list(steps) != sorted(set(steps)):
            raise ValueError(f"optimizer.step_epochs must rise. Received: {list(steps)}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as TOML and JSON have them; `config_file.config_from` reads them back."""
        plain = json.loads(json.dumps(asdict(self)))
        assert isinstance(plain, dict)
        return plain
