"""The table of delegates for the documentation; imported by the cog block in its page."""

from __future__ import annotations

import cog

from facekit.runtime.devices import DELEGATES


def table() -> None:
    """Writes DELEGATES as a table, in the order of preference."""
    cog.outl("| library | runtime | `--device` | images | it takes | built by |")
    cog.outl("| --- | --- | --- | --- | --- | --- |")
    for row in DELEGATES:
        package = f"`{row.package.value}`" if row.package else "any"
        devices = ", ".join(f"`{device.value}`" for device in row.devices)
        images = ", ".join(row.bsps) or "none of NXP's"
        cog.outl(
            f"| `{row.file_name}` | {package} | {devices} | {images} | {row.takes} | {row.source} |"
        )
