"""facekit doctor"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from facekit.cli.options import json_option

if TYPE_CHECKING:
    from facekit.tasks.doctor import Report


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Show versions, runtime, delegates, cache and models, and what is wrong.

    Exit code 0 when verify, detect, embed and compare can work, else the code that the first
    problem would give them.

    \b
    Example: facekit doctor
             facekit doctor --json
    """
    from facekit.cli.render.output import emit_json
    from facekit.tasks.doctor import examine

    report = examine()
    if as_json:
        emit_json(_payload(report))
    else:
        _print(report)
    if report.problems:
        raise SystemExit(report.problems[0].exit_code)


def _payload(report: Report) -> dict[str, Any]:
    cache = report.cache
    return {
        "versions": report.versions,
        "runtime": report.runtime,
        "onnx_runtime": report.onnx_runtime or None,
        "onnx_providers": list(report.providers),
        "delegates": [
            {"path": str(found.path), "accelerator": found.accelerator}
            for found in report.delegates
        ],
        "cache": cache
        and {
            "home": str(cache.home),
            "writable": cache.writable,
            "free_bytes": cache.free_bytes,
        },
        "models": [
            {
                "name": model.name,
                "variant": model.variant,
                "path": str(model.path),
                "size_bytes": model.size_bytes,
                "problem": model.problem,
            }
            for model in report.models
        ],
        "to_build": list(report.to_build),
        "extras": report.extras,
        "problems": [
            {"message": problem.message, "exit_code": problem.exit_code}
            for problem in report.problems
        ],
    }


def _print(report: Report) -> None:
    lines = [
        ("versions", ", ".join(f"{name} {text or '-'}" for name, text in report.versions.items())),
        ("runtime", report.runtime or "none"),
    ]
    if report.onnx_runtime:
        providers = ", ".join(report.providers)
        lines.append(("runtime", f"onnxruntime {report.onnx_runtime}: {providers}"))
    lines += [("delegate", f"{found.path}  {found.accelerator}") for found in report.delegates]
    if not report.delegates:
        lines.append(("delegates", "none found: networks run on the CPU"))
    if cache := report.cache:
        access = "writable" if cache.writable else "not writable"
        lines.append(("cache", f"{cache.home}  {access}, {cache.free_bytes / 1e9:.1f} GB free"))
    for model in report.models:
        state = "not as its card says" if model.problem else f"{model.size_bytes / 1e6:.2f} MB"
        lines.append(("model", f"{model.name}:{model.variant}  {state}"))
    lines += [("model", f"{name}  is built at first use") for name in report.to_build]
    lines += [
        ("extra", f"{name}  {'installed' if present else 'not installed'}")
        for name, present in report.extras.items()
    ]
    lines += [("problem", problem.message) for problem in report.problems]
    for label, text in lines:
        click.echo(f"{label:10}{text}")
