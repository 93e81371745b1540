"""The records of `facekit selftest`: what the networks answered, and how it was judged."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from facekit.enums import Device
from facekit.errors import AcceleratorError, FacekitError, ModelMismatchError
from facekit.runtime.delegates import DeviceUse


class CheckKind(str, Enum):
    """What is compared, and how it is measured."""

    KNOWN_EMBEDDINGS = "known-embeddings"
    """The least cosine of a shipped face's embedding and its known embedding."""
    KNOWN_BOXES = "known-boxes"
    """The least IoU of a face's box and its known box; 0 if a photo has not exactly one face."""
    CPU_EMBEDDINGS = "cpu-embeddings"
    """The least cosine of a face's embedding on the accelerator and on the CPU."""
    CPU_BOXES = "cpu-boxes"
    """The least IoU of a face's box on the accelerator and on the CPU; 0 if a photo has another
    number of faces."""
    REPEATED_EMBEDDINGS = "repeated-embeddings"
    """The least cosine of a face's embeddings in the first run and in a later one."""
    PEOPLE_APART = "people-apart"
    """The similarity of one person's two faces, less the larger similarity of two people."""

    @property
    def description(self) -> str:
        """The check for people, in a few words."""
        return _TITLES[self]


_TITLES = {
    CheckKind.KNOWN_EMBEDDINGS: "embeddings as they are known",
    CheckKind.KNOWN_BOXES: "boxes where they are known to be",
    CheckKind.CPU_EMBEDDINGS: "embeddings as on the CPU",
    CheckKind.CPU_BOXES: "boxes as on the CPU",
    CheckKind.REPEATED_EMBEDDINGS: "embeddings the same again",
    CheckKind.PEOPLE_APART: "one person nearer than two people",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One figure with the least value that it must have."""

    kind: CheckKind
    device: str
    """The device that is judged: "cpu", a device's name, "delegate" or "provider"."""
    measured: float
    """NaN if it cannot be computed."""
    needed: float

    @property
    def passed(self) -> bool:
        return self.measured >= self.needed  # False for NaN

    def to_dict(self) -> dict[str, Any]:
        return {
            "check": self.kind.value,
            "device": self.device,
            "passed": self.passed,
            "measured": self.measured if math.isfinite(self.measured) else None,
            "needed": self.needed,
        }

    def __str__(self) -> str:
        return f"{self.kind.description} ({self.measured:.3f}, {self.needed:g} needed)"


@dataclass(frozen=True, slots=True)
class RunTimes:
    """Wall times in milliseconds."""

    load_ms: float
    """From the file to a network that can run."""
    first_ms: float
    """Of the first run, in which some accelerators compile the network."""
    later_ms: float
    """The median of later runs."""

    def to_dict(self) -> dict[str, float]:
        return {name: round(spent, 3) for name, spent in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class FaceAnswer:
    """What a device answered about one shipped face."""

    photo: str
    """Name of the photo."""
    float32_cosine: float | None
    """Cosine of the embedding with that of the float32 network; None if that is not known."""
    cpu_cosine: float | None
    """Cosine of the embedding with the CPU's; None for the CPU itself."""
    face_count: int | None
    """Number of faces that the detector found; None if it was not run."""
    known_iou: float | None
    """IoU of the found box and the known box; 0 if there is not exactly one face."""
    cpu_iou: float | None
    """IoU of the found box and the CPU's; None for the CPU itself."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class DeviceAnswers:
    """All that was run on one device."""

    use: DeviceUse
    model: str
    """The embedding model's file as "name:variant"."""
    model_sha256: str
    delegated_count: int
    """Number of subgraphs (LiteRT) or operators (ONNX Runtime) of the embedding network that the
    accelerator executes."""
    detector: str | None
    """The detector's file as "name:variant", or its name if it has several; None if it was not run
    on this device."""
    detector_delegated_count: int
    """The same for the detector."""
    embedding_times: RunTimes
    detection_times: RunTimes | None
    genuine_similarity: float
    """Cosine of the two faces of one person."""
    impostor_similarity: float
    """The larger cosine of the two pairs of different people."""
    faces: tuple[FaceAnswer, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.use.to_dict(),
            "model": self.model,
            "model_sha256": self.model_sha256,
            "delegated_count": self.delegated_count,
            "detector": self.detector,
            "detector_delegated_count": self.detector_delegated_count,
            "times": {
                "embedding": self.embedding_times.to_dict(),
                "detection": self.detection_times and self.detection_times.to_dict(),
            },
            "genuine_similarity": self.genuine_similarity,
            "impostor_similarity": self.impostor_similarity,
            "faces": [face.to_dict() for face in self.faces],
        }


@dataclass(frozen=True, slots=True)
class SelfTest:
    """The result of `facekit selftest`; true if every check has passed."""

    answers: tuple[DeviceAnswers, ...]
    """Of the CPU first, then of the accelerator, if one was requested."""
    known_embeddings: bool
    """Whether facekit has known answers of the embedding model."""
    known_boxes: bool
    """Whether facekit has known answers of the detector."""
    checks: tuple[Check, ...]

    def __bool__(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def device(self) -> str:
        """The device that was tested: "cpu" if no accelerator was requested."""
        return self.answers[-1].use.device

    @property
    def problems(self) -> tuple[FacekitError, ...]:
        """A ModelMismatchError for the CPU and an AcceleratorError for the accelerator, if checks
        failed there."""
        found: list[FacekitError] = []
        cpu, *others = self.answers
        if failed := self._failed_on(Device.CPU.value):
            found.append(
                ModelMismatchError(
                    f"The CPU does not compute what {cpu.model} must answer; what failed: "
                    f"{failed}. The file is as its card says, so the runtime or one of its "
                    "libraries is damaged or built for another processor: install it again. A "
                    "model of your own that was accepted untrained fails here too."
                )
            )
        for one in others:
            if failed := self._failed_on(one.use.device):
                found.append(
                    AcceleratorError(
                        f"{place_of(one.use)} does not compute with {one.model} what the CPU "
                        f"computes with {cpu.model}; what failed: {failed}. Its answers are not "
                        "to be trusted. Check that driver, delegate and model file are for one "
                        "board support package (facekit doctor); --device cpu goes without it."
                    )
                )
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        return {
            "passed": bool(self),
            "device": self.device,
            "model": self.answers[-1].model,
            "model_sha256": self.answers[-1].model_sha256,
            "known_embeddings": self.known_embeddings,
            "known_boxes": self.known_boxes,
            "checks": [check.to_dict() for check in self.checks],
            "answers": [one.to_dict() for one in self.answers],
            "problems": [problem.to_dict()["error"] for problem in self.problems],
        }

    def _failed_on(self, device: str) -> str:
        return _listed(
            check for check in self.checks if check.device == device and not check.passed
        )


def place_of(use: DeviceUse) -> str:
    """Returns the device for people, e.g. "imx93-npu (/usr/lib/libethosu_delegate.so)"."""
    what = use.delegate or ", ".join(use.providers or ())
    return f"{use.device} ({what})" if what and use.device != Device.CPU.value else use.device


def _listed(checks: Iterable[Check]) -> str:
    return "; ".join(map(str, checks))
