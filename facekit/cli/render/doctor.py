"""What this machine has, and what is wrong with it, as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from facekit.cli.render.table import Column, table, wrapped

if TYPE_CHECKING:
    from facekit.tasks.doctor_results import Part, Report

Row = tuple[str, str, str, str, str]
_COLUMNS = tuple(map(Column, ("PART", "NAME", "FOUND", "LEAST", "STATE")))


def print_report(report: Report) -> None:
    """Prints one table, and the problems below it."""
    lines = table(_COLUMNS, _rows(report), wrap_last=True)
    for problem in report.problems:
        first, *others = str(problem).splitlines()
        lines += ["", *wrapped(first, first="problem: ", others="  "), *others]
    click.echo("\n".join(lines))


def _rows(report: Report) -> Iterator[Row]:
    system = report.system
    board = f", {system.soc}" if system.soc else ""
    board += f", BSP {system.bsp}" if system.bsp else ""
    name = system.name or "unknown"
    yield "system", system.machine, "", "", f"{name}, kernel {system.kernel}{board}"
    yield from (("package", part.name, *_found(part)) for part in report.parts)
    used = None if report.runtime is None else report.runtime.distribution
    for part in report.runtimes:
        found, least, state = _found(part)
        if part.name == used:
            state = "in use" if part.error is None else f"in use, {state}"
        yield "runtime", part.name, found, least, state
    if report.onnx_runtime:
        yield "runtime", "onnxruntime", report.onnx_runtime, "", ", ".join(report.providers)
    for one in report.delegates:
        runtime = one.package.distribution if one.package else "every runtime"
        state = f"goes with {runtime}" + (", which cannot be used" if one.error else "")
        yield (
            *("delegate", one.path.name, "", ""),
            f"{state}; for {' or '.join(one.accelerators)}; in {one.path.parent}",
        )
    if not report.delegates:
        yield "delegate", "none", "", "", "networks run on the CPU"
    yield from _model_rows(report)
    for name, present in report.extras.items():
        yield "extra", name, "", "", "installed" if present else "not installed"


def _model_rows(report: Report) -> Iterator[Row]:
    models = report.models
    if store := models.store:
        access = "writable" if store.writable else "not writable"
        state = f"{access}, {store.free_bytes / 1e9:.1f} GB free, {store.path}"
        yield "store", "", "", "", state
    if bundle := models.bundle:
        made_for = [f"for {bundle.device.value}"]
        if bundle.board.bsp:
            here = f", this one is {report.system.bsp}" if report.system.bsp else ""
            made_for.append(f"made for images of BSP {bundle.board.bsp}{here}")
        yield "bundle", bundle.target, "", "", f"{'; '.join(made_for)}; {bundle.path}"
    for model in models.files:
        size = "-" if model.size_bytes is None else f"{model.size_bytes / 1e6:.2f} MB"
        if model.time_ms is not None:
            state = f"runs on {model.device.value}, {model.time_ms:.0f} ms"
        else:
            state = model.skipped or ("not as its card says" if size == "-" else "does not run")
        yield "model", model.model, size, "", state
    for name in models.to_build:
        yield "model", name, "-", "", "is built at first use"
    if default := models.default:
        yield "default", default.model, "", "", f"set by {default.origin}"


def _found(part: Part) -> tuple[str, str, str]:
    """Version, least version and state."""
    if part.is_missing:
        state = "not installed"
    elif not part.is_usable:
        state = "cannot be imported"
    elif part.error:
        state = "too old"
    else:
        state = "ok"
    if part.error and not part.is_needed:
        state += ", and not needed here"
    return part.version or "-", part.least or "-", state
