"""Compiles an integer .tflite file for an Ethos-U, and writes its card and Vela's report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from facekit.conversion.vela.narrow import FULL_BITS, narrow_weights
from facekit.conversion.vela.report import Estimate, VelaReport, read_estimate, read_report
from facekit.conversion.vela.run import no_room, run_vela, vela_version
from facekit.conversion.vela.target import SRAM_ONLY, Target
from facekit.errors import AcceleratorError, ModelMismatchError
from facekit.model.card import VELA_ESTIMATE, Card, bound
from facekit.model.checksum import file_dict, sha256_of
from facekit.model.inspect import ModelInspection, inspect_model
from facekit.reporter import SILENT, Reporter
from facekit.system.fields import blanks_to_null
from facekit.system.files import put_files, require_free
from facekit.template.calibration import Calibration

SCHEMA_VERSION = 1
MIN_NPU_SHARE = 0.95
"""Minimum share of the operators, 0..1, that must run on the NPU."""
MAX_CPU_OPERATORS = 3
"""Number of CPU operators that is accepted even below MIN_NPU_SHARE.

A small network has e.g. conversions of input and output, and a normalization on the CPU.
"""
_MAX_LISTED_REASONS = 10
_SOURCE_SHA256 = "compiled from sha256"


@dataclass(frozen=True, slots=True)
class CompiledModel:
    """The paths of the compiled files, and Vela's report."""

    model: str
    """The path of the source file, as the caller passed it."""
    model_sha256: str
    output: Path
    """The folder of the compiled file, its card and the report."""
    path: Path
    report_path: Path
    card_path: Path | None
    """The path of the card; None if the source has no card."""
    report: VelaReport
    comparisons: tuple[Estimate, ...]
    """Estimates for the same network with the target's other system configurations."""

    def to_dict(self) -> dict[str, Any]:
        files = (self.path, self.card_path, self.report_path)
        return {
            "model": self.model,
            "model_sha256": self.model_sha256,
            "output": str(self.output),
            "files": [file_dict(path) for path in files if path is not None],
            "vela": report_dict(self.report, self.comparisons),
        }


def compile_model(
    source: Path,
    target: Target,
    folder: Path,
    *,
    force: bool = False,
    bandwidths: bool = True,
    allow_cpu_fallback: bool = False,
    weight_bits: int = FULL_BITS,
    reporter: Reporter = SILENT,
) -> CompiledModel:
    """Writes <stem>_vela.tflite, its card <stem>_vela.json and <stem>_vela_report.json.

    With `weight_bits` from 4 to 7 instead of 8, the weights that limit the speed are narrowed first
    (see narrow.py).  The source's thresholds do not apply to such a result, so the result's card
    has none.  If `bandwidths` is true, Vela runs once more for each of the target's other system
    configurations; a configuration that Vela cannot estimate is reported and left out.
    `allow_cpu_fallback` accepts a network with too many operators on the CPU.  `force` replaces
    existing files.

    Raises AcceleratorError in four cases: the input is not integer; Vela fails; the network does
    not fit the target's SRAM; or, without `allow_cpu_fallback`, the NPU gets less than
    MIN_NPU_SHARE of the operators and more than MAX_CPU_OPERATORS remain on the CPU.  Raises
    ModelMissingError or ModelMismatchError if the source cannot be compiled, UsageError if
    `weight_bits` is invalid or a file exists and `force` is false, MissingExtraError if Vela is not
    installed, and StorageError if a file cannot be written.
    """
    stem = f"{source.stem}_vela"
    model_file, card_file, report_file = f"{stem}.tflite", f"{stem}.json", f"{stem}_report.json"
    require_free(*(folder / name for name in (model_file, card_file, report_file)), force=force)
    vela_version()
    source_as_passed = source
    inspected = inspect_model(source)
    _require_compilable(inspected)
    provenance = _provenance(source, target)
    card = inspected.card
    with ExitStack() as stack:
        if weight_bits != FULL_BITS:
            source = stack.enter_context(_narrowed_copy(source, weight_bits))
            provenance["weight bits"] = str(weight_bits)
            card = card and _without_thresholds(card)
        output = stack.enter_context(run_vela(source, target))
        report = read_report(output)
        if output.planned_sram is not None:
            provenance["planned for SRAM"] = f"{output.planned_sram} bytes"
            reporter.note(
                f"Vela's first plan did not fit the SRAM of {target.name}: planned again for "
                f"{output.planned_sram:,} bytes"
            )
        _require_room(report, source_as_passed, target)
        content = output.model.read_bytes()
        comparisons = tuple(_estimates(source, target, reporter)) if bandwidths else ()
    if report.npu_share < MIN_NPU_SHARE and len(report.cpu_operators) > MAX_CPU_OPERATORS:
        cpu_message = _cpu_operators_message(report, source, target)
        if not allow_cpu_fallback:
            raise AcceleratorError(cpu_message)
        reporter.note(f"warning: {cpu_message}")
    provenance[VELA_ESTIMATE] = f"{report.estimate.time_ms:.2f} ms"
    payload = {
        "schema_version": SCHEMA_VERSION,
        **report_dict(report, comparisons),
        "made": provenance,
    }
    files = {report_file: (json.dumps(payload, indent=1) + "\n").encode()}
    if card is not None:
        files[card_file] = _card(card, model_file, content, provenance).to_json().encode()
    put_files(folder, {**files, model_file: content})
    return CompiledModel(
        model=str(source_as_passed),
        model_sha256=provenance[_SOURCE_SHA256],
        output=folder,
        path=folder / model_file,
        report_path=folder / report_file,
        card_path=folder / card_file if card is not None else None,
        report=report,
        comparisons=comparisons,
    )


@contextmanager
def _narrowed_copy(source: Path, weight_bits: int) -> Iterator[Path]:
    """Yields the path of a temporary copy of the source with narrower weights.

    The copy has the same file name.
    """
    content = narrow_weights(source.read_bytes(), bits=weight_bits)
    with TemporaryDirectory() as folder:
        path = Path(folder) / source.name
        path.write_bytes(content)
        yield path


def _without_thresholds(card: Card) -> Card:
    """Returns the card without thresholds, because scores change with the weights.

    The mean embedding is kept, because it hardly changes.
    """
    mean = card.calibration.embedding_mean
    return replace(card, calibration=Calibration(embedding_mean=mean))


def report_dict(report: VelaReport, comparisons: tuple[Estimate, ...]) -> dict[str, Any]:
    """Returns the report for JSON, with all layers."""
    plain = asdict(report)
    return {
        "npu_share": report.npu_share,
        **plain,
        "cpu_operators": [
            blanks_to_null(operator, "reason") for operator in plain["cpu_operators"]
        ],
        "share_of_time": {
            bottleneck.value: part for bottleneck, part in report.share_of_time.items()
        },
        "comparisons": [asdict(estimate) for estimate in comparisons],
    }


def _require_compilable(inspected: ModelInspection) -> None:
    path = inspected.path
    if inspected.has_wrong_card:
        raise ModelMismatchError(inspected.card_problem)
    if inspected.is_compiled_by_vela:
        raise ModelMismatchError(
            f"{path} has been compiled by Vela already. Compile the integer model it was made from."
        )
    for tensor in inspected.inputs:
        if -1 in tensor.shape:
            raise ModelMismatchError(
                f"An NPU needs a static shape. Received: {path} with an input of "
                f"shape {tensor.shape}, where -1 is dynamic. Convert the model with a batch of 1."
            )
        if not tensor.is_integer:
            raise AcceleratorError(
                f"An Ethos-U runs integers only. Received: {path} with the input {tensor.name} of "
                f"{tensor.dtype}. Quantize it first: facekit convert --int8"
            )


def _require_room(report: VelaReport, source: Path, target: Target) -> None:
    """Raises AcceleratorError if the network needs more SRAM than the target states.

    Vela itself takes the size for a limit in the modes of a dedicated SRAM only.  In Sram_Only the
    weights are in the SRAM too, where Vela counts them as flash.
    """
    needed = report.sram_used_bytes
    if target.memory_mode == SRAM_ONLY:
        needed += report.flash_used_bytes
    if target.sram is not None and needed > target.sram:
        raise AcceleratorError(no_room(source, target, needed=needed, there=target.sram))


def _cpu_operators_message(report: VelaReport, source: Path, target: Target) -> str:
    reasons: dict[tuple[str, str], int] = {}
    for cpu_operator in report.cpu_operators:
        key = cpu_operator.operator, cpu_operator.reason or "no reason given"
        reasons[key] = reasons.get(key, 0) + 1
    listed = [f"  {count} x {name}: {why}" for (name, why), count in reasons.items()]
    if len(listed) > _MAX_LISTED_REASONS:
        listed[_MAX_LISTED_REASONS:] = [f"  and {len(listed) - _MAX_LISTED_REASONS} more"]
    total = report.npu_operator_count + len(report.cpu_operators)
    return (
        f"Vela puts {report.npu_operator_count} of {total} operators of {source} on the NPU of "
        f"{target.name} ({report.npu_share:.1%}); at least {MIN_NPU_SHARE:.0%} are needed. "
        "Left on the CPU:\n" + "\n".join(listed)
    )


def _estimates(source: Path, target: Target, reporter: Reporter) -> list[Estimate]:
    estimates = []
    for system_config in target.bandwidths:
        try:
            with run_vela(source, target, system_config=system_config) as output:
                estimates.append(read_estimate(output))
        # another configuration's failure does not concern the compiled file
        except AcceleratorError as error:
            reporter.note(f"no estimate for {system_config}: {error}")
    return estimates


def _provenance(source: Path, target: Target) -> dict[str, str]:
    return {
        "ethos-u-vela": vela_version(),
        "vela target": f"{target.name}: {target.accelerator_config}, {target.system_config}, "
        f"{target.memory_mode}, {target.optimize}"
        + ("" if target.sram is None else f", {target.sram} bytes of SRAM"),
        "compiled from": source.name,
        _SOURCE_SHA256: sha256_of(source),
    }


def _card(card: Card, file_name: str, content: bytes, provenance: dict[str, str]) -> Card:
    """Returns the card of the compiled file, with the thresholds of `card`.

    The compiled file computes with the same integers as the file that was passed to Vela, so the
    thresholds of that file stay valid.
    """
    return bound(
        replace(
            card,
            variant=f"{card.variant}_vela",
            file_name=file_name,
            file_sha256=sha256(content).hexdigest(),
            file_size_bytes=len(content),
            tools={**card.tools, **provenance},
        )
    )
