"""What this machine has, and what is wrong with it, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from facekit.cli.render.table import labeled

if TYPE_CHECKING:
    from facekit.tasks.doctor import Report


def print_report(report: Report) -> None:
    lines = [
        ("versions", ", ".join(f"{name} {text or '-'}" for name, text in report.versions.items())),
        ("runtime", report.runtime or "none"),
    ]
    if report.onnx_runtime:
        providers = ", ".join(report.providers)
        lines.append(("runtime", f"onnxruntime {report.onnx_runtime}: {providers}"))
    lines += [("delegate", f"{found.path}: {found.accelerator}") for found in report.delegates]
    if not report.delegates:
        lines.append(("delegates", "none found: networks run on the CPU"))
    if store := report.store:
        access = "writable" if store.writable else "not writable"
        lines.append(("store", f"{store.path}: {access}, {store.free_bytes / 1e9:.1f} GB free"))
    for model in report.models:
        size = model.size_bytes
        state = "not as its card says" if size is None else f"{size / 1e6:.2f} MB"
        lines.append(("model", f"{model.model}: {state}"))
    if default := report.default_model:
        lines.append(("default", f"{default.model}, set by {default.origin}"))
    lines += [("model", f"{name} is built at first use") for name in report.to_build]
    lines += [
        ("extra", f"{name}: {'installed' if present else 'not installed'}")
        for name, present in report.extras.items()
    ]
    lines += [("problem", str(problem)) for problem in report.problems]
    click.echo("\n".join(labeled(lines)))
