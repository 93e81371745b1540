"""Starts or continues a training run, and installs its model in the store."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facekit.errors import UsageError
from facekit.model.checksum import file_dict
from facekit.model.installation import install_files, remove_others, require_new
from facekit.reporter import SILENT, Reporter
from facekit.tasks.build import ensure_installed, waiting
from facekit.tasks.open_pipeline import ensure_detector
from facekit.training.config_file import parse_change, read_config
from facekit.training.dataset.aligned import aligned_detector
from facekit.training.request import TrainRequest, Validation, begin, require_no_run, resumed
from facekit.training.start import is_source_file

if TYPE_CHECKING:
    from facekit.training.devices import Cluster
    from facekit.training.run import Trained

_FIGURES = ("held_out_accuracy", "lfw_devtrain_accuracy", "lfw_devtest_accuracy")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class NewRun:
    """The settings of a new run."""

    data: Path
    """Aligned crops, one folder per person; see align_dataset."""
    config: str | None = None
    """Name of a configuration in configs/train, or a .toml file; None means the defaults."""
    settings: tuple[str, ...] = ()
    """KEY=VALUE, such as augment.flip=false; they override the configuration."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """Values by key of the configuration, such as "optimizer.rate"; they override all others."""
    start_from: str | None = None
    """The model or file with the initial weights; None means random weights."""
    license: str | None = None
    """License of the trained model, for its card."""

    def request(self, output: Path, *, name: str | None = None) -> TrainRequest:
        """Returns the run with its complete configuration.

        A model without a name is named after `output`.  Raises UsageError for an invalid setting.
        """
        changes = {**dict(map(parse_change, self.settings)), **self.values}
        config = read_config(self.config, changes)
        plain = _NOT_PLAIN.sub("-", name or output.resolve().name).strip("-._") or "model"
        start = self.start_from
        if start is not None and is_source_file(start):
            start = str(Path(start).absolute())  # a run that goes on may be started elsewhere
        request = TrainRequest(data=self.data, config=config, name=plain, start=start)
        return request if self.license is None else replace(request, license=self.license)


@dataclass(frozen=True, slots=True, eq=False)
class TrainedRun:
    """A run that has ended, or was interrupted and can be continued."""

    output: Path
    trained: Trained
    installed: Path | None
    """The model's file in the store, if it was installed."""
    is_chief: bool
    """True for the process that writes files and messages."""

    @property
    def interrupted(self) -> bool:
        return self.trained.loop.interrupted

    @property
    def model(self) -> Path | None:
        """The model file; None if the run was interrupted, and in all processes except the
        chief."""
        return None if self.trained.model is None else self.trained.model.path

    def to_dict(self) -> dict[str, Any]:
        trained, loop, model = self.trained, self.trained.loop, self.trained.model
        return {
            "model": model and model.card.full_name,
            "model_sha256": model and model.card.file_sha256,
            "output": str(self.output),
            "files": [file_dict(path) for path in (self.model, self.installed) if path is not None],
            "interrupted": loop.interrupted,
            "people_count": trained.people_count,
            "photo_count": trained.photo_count,
            "held_out_photo_count": trained.held_out_photo_count,
            "parameter_count": trained.parameter_count,
            "step_count": loop.step,
            "epoch_loss": loop.epoch_loss if loop.epoch_loss == loop.epoch_loss else None,
            **{name: loop.figures.get(name) for name in _FIGURES},
        }

    def __repr__(self) -> str:
        return f"TrainedRun({self.output}, {self.trained.loop.step} steps, model {self.model})"


def train(
    run: NewRun | None,
    output: Path,
    *,
    data: Path | None = None,
    validate_on: Path | None = None,
    validate_every: int = 1,
    workers_at: Sequence[str] | None = None,
    worker_index: int | None = None,
    install: str | None = None,
    force: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
    reporter: Reporter = SILENT,
) -> TrainedRun:
    """Trains a model, or fine-tunes one; its file is OUTPUT/NAME_float32.tflite.

    run: a new run; None continues the run in `output` with its own settings, and `data` is then the
    new folder of its crops.  validate_on: LFW's folder, whose View 1 is scored after every
    `validate_every` epochs.
    workers_at, worker_index: HOST:PORT of all processes of a run, and the index of this process;
    None means the values of TF_CONFIG, or a run of this process alone.  install: the new name of
    the model in the store; None names it after the folder.  force: replace a run in `output`, and a
    model of that name with all its variants.  should_stop: called before each step; True ends the
    run after this step, with all files that it needs to continue.
    Raises UsageError, InputError, ModelError, or StorageError.
    """
    request = resumed(output, data=data) if run is None else run.request(output, name=install)
    if run is not None:
        require_no_run(output, force=force)
    if install is not None:
        require_new(install, force=force)  # now rather than after hours of training
    validation = None if validate_on is None else Validation(validate_on, validate_every)
    if request.start is not None and not is_source_file(request.start):
        ensure_installed(request.start, reporter=reporter)
    if validation is not None:
        ensure_detector(aligned_detector(request.data), reporter=reporter)
    cluster = _cluster(workers_at, worker_index)
    is_chief = cluster is None or cluster.index == 0
    from facekit.training.devices import open_replicas
    from facekit.training.run import train as run_training

    if run is not None and is_chief:
        begin(output, request)
    told = reporter if is_chief else SILENT  # the other processes leave talking to the first one
    trained = run_training(
        request,
        output,
        replicas=open_replicas(cluster),
        validation=validation,
        resume=run is None,
        reporter=told,
        should_stop=should_stop,
    )
    installed = None
    if install is not None and trained.model is not None:
        (installed,) = install_files(install, [trained.model.path], on_wait=waiting(install, told))
        remove_others(install, trained.model.card.variant)
    return TrainedRun(output, trained, installed, is_chief)


def _cluster(addresses: Sequence[str] | None, index: int | None) -> Cluster | None:
    if (addresses is None) != (index is None):
        raise UsageError("--workers-at and --worker-index go together.")
    from facekit.training.devices import Cluster, cluster_of_environment  # TensorFlow

    if addresses is None or index is None:
        return cluster_of_environment()
    return Cluster(tuple(addresses), index)
