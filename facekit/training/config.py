"""The settings of a training run, and their valid ranges; config_file.py reads the settings."""

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
    """The precision in which the net computes.  Variables, loss and result are float32."""

    FLOAT32 = "float32"
    BFLOAT16 = "mixed_bfloat16"
    FLOAT16 = "mixed_float16"
    """Float16 with dynamic loss scaling."""


@dataclass(frozen=True, slots=True)
class OptimizerConfig:
    name: OptimizerName = OptimizerName.SGD
    rate: float = 0.05
    """Learning rate after the warm-up, before the schedule lowers it."""
    momentum: float = 0.9
    weight_decay: float = 5e-4
    """Decoupled weight decay: a step subtracts rate * weight_decay times each kernel.  Biases and
    batch norms do not decay."""
    clip_norm: float = 0.0
    """Upper limit of the L2 norm of each variable's gradient; 0 means no limit."""
    schedule: ScheduleName = ScheduleName.COSINE
    warmup_epochs: float = 0.0
    step_epochs: tuple[int, ...] = ()
    """Epochs, counted from 0, at the start of which the schedule "step" lowers the rate."""
    step_factor: float = 0.1
    final_share: float = 0.01
    """Rate at the end as a share of `rate`, for the schedule "cosine"."""

    def rate_at(self, step: int, *, steps_per_epoch: int, epochs: int) -> float:
        """Returns the learning rate for step number `step`; the first step is 0.

        During the warm-up the rate rises linearly to `rate` (Goyal et al. 2017, sec. 2.2).  The
        schedule "cosine" follows Loshchilov & Hutter 2017, eq. 5, over the steps after the warm-up,
        without restarts.
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
    """The settings of all losses; each loss uses only the settings of its paper."""

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
    """The random changes of a crop, which are drawn anew for each use of the crop in a step."""

    random_crop: bool = True
    """Whether the window of the net's input size lies at a random position of the crop.

    If false, the window lies at the crop's center.
    """
    flip: bool = True
    rotate_degrees: float = 0.0
    """Largest rotation in degrees, clockwise or counterclockwise."""
    zoom: float = 0.0
    """Largest change of scale, as a share of the size: 0.1 allows 0.9 to 1.1."""
    brightness: float = 0.0
    """Largest increase or decrease of brightness, in pixel values of 0..255."""
    contrast: float = 0.0
    """Largest change of contrast, as a share: 0.2 allows factors of 0.8 to 1.2."""
    saturation: float = 0.0
    erase: float = 0.0
    """Height and width of a rectangle of noise at a random position, as a share of the height and
    width of the net's input; 0 means no rectangle."""


@dataclass(frozen=True, slots=True)
class FineTuneConfig:
    """The settings of a run that begins with existing weights (--start-from)."""

    imprint: bool = True
    """Whether the head of a loss on cosines begins with each person's mean embedding.

    The mean embeddings become the class weights (Qi et al. 2018, "Low-Shot Learning with Imprinted
    Weights").  Otherwise the class weights begin with random values.
    """
    head_epochs: int = 0
    """Number of epochs at the beginning that train only the new head."""
    net_rate_share: float = 0.1
    """Learning rate of the net as a share of the head's rate, at least 0."""
    freeze_batch_norm: bool = True
    """Whether the batch norms keep the statistics, factors and offsets of the existing weights."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """All settings of a training run except its data and folders."""

    architecture: Architecture = Architecture.INCEPTION_RESNET_V1
    loss: TrainingLoss = TrainingLoss.SOFTMAX
    embedding_size: int = 512
    """Length of the embedding of a net with fresh weights; existing weights keep their length."""
    epochs: int = 90
    batch_size: int = 90
    """Photos per step, over all replicas."""
    photos_per_person: int = 0
    """Photos of each person in a batch, for triplets; 0 shuffles the photos freely."""
    steps_per_epoch: int = 0
    """Steps per epoch; 0 means as many full batches as there are photos for."""
    dropout: float = 0.0
    """Share of the last layer's inputs that a step sets to 0."""
    batch_norm_momentum: float = 0.0
    """Momentum of the moving statistics.  0 means 0.995 (keras_graph.py), with which the statistics
    need some 1,000 steps to settle."""
    seed: int = 0
    precision: ComputePrecision = ComputePrecision.FLOAT32
    held_out: float = 0.0
    """Share of the photos that is held out for testing, of each person with two or more photos."""
    checkpoint_steps: int = 0
    """Steps between two checkpoints, in addition to the one at the end of each epoch.  0 means only
    at the end of each epoch."""
    keep_checkpoints: int = 3
    memory_mb: int = 1024
    """Limit in megabytes for decoded crops in memory; larger crops are decoded at each use."""
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
        """Returns plain values as in TOML and JSON; `config_file.config_from` reads them back."""
        plain = json.loads(json.dumps(asdict(self)))
        assert isinstance(plain, dict)
        return plain
