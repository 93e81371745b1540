"""Writes the README of a bundle: its content, and the commands for the board."""

from __future__ import annotations

from collections.abc import Sequence

from facekit.board.manifest import Bundle, model_file
from facekit.enums import Device
from facekit.model.card import Task
from facekit.model.store import InstalledModel
from facekit.runtime.devices import ACCELERATORS
from facekit.version import __version__


def readme(title: str, bundle: Bundle, models: Sequence[InstalledModel]) -> str:
    """Returns the README as Markdown."""
    return f"""# facekit {__version__} for {title}

Are two photos of the same person? Everything that answers is in this folder: the models with
their cards and thresholds, facekit as a wheel, and shell scripts.

## Needs

- Python 3.10 or later with NumPy, OpenCV (`cv2`) and click. NXP's images bring the first two;
  `python3 -m pip install click` adds the third.
- A LiteRT runtime: `tflite_runtime` or `ai_edge_litert`, on an NPU the one that its delegate is
  built for, which is taken by itself.
{_npu_needs(bundle)}
## Use

```sh
sha256sum -c SHA256SUMS                # was it copied well?
./run.sh doctor                        # what is here, and what is missing
./run.sh verify a.jpg b.jpg            # exit code 0: the same person, 1: different people
./run.sh verify a.jpg b.jpg --json     # the device, the score, the threshold
{_other_device(bundle)}./run.sh enroll NAME photo.jpg         # people are kept in this folder, then
./run.sh identify photo.jpg
./watch.sh FOLDER known.jpg            # each new photo in FOLDER against known.jpg
./run.sh watch FOLDER                  # the same against the people who are enrolled
./benchmark.sh                         # the network alone, by the board's benchmark_model
```

`facekit-watch.service` does it from the start of the board on: its first lines say how.

When it first runs, `run.sh` unpacks the wheel into `python/`; nothing is installed. An installed
facekit uses the same models: `facekit verify a.jpg b.jpg --bundle FOLDER`.

Nothing falls back to the CPU in silence: where the delegate is missing or accepts no operators, the
exit code is 6 and the reason is on stderr. `--allow-cpu-fallback` permits it.

## Models

| file | MB | sha256 |
| --- | --- | --- |
{_model_rows(models)}

| device | runs |
| --- | --- |
{_device_rows(bundle)}

{_detector_text(bundle)}{_estimate_text(bundle, models)}

## Thresholds

Largest cosine distance of a match, from the card of the model that the board runs; `--fmr` chooses
among them.

| for | distance | false match rate | measured on |
| --- | --- | --- | --- |
{_threshold_rows(bundle, models)}
"""


def _npu_needs(bundle: Bundle) -> str:
    if bundle.device is Device.CPU:
        return ""
    libraries = " or ".join(ACCELERATORS[bundle.device].libraries)
    needs = f"- {libraries} in /usr/lib; elsewhere: `--delegate PATH`.\n"
    if bundle.device is Device.IMX93_NPU:
        needs += (
            "- The Vela file must fit the image's driver. Where it is refused, compile the int8 "
            "file with the\n  Vela that belongs to the image (`facekit compile`), or pass "
            f"`--model {bundle.model}:int8`: delegates of\n  LF6.1.36_2.1.0 and later compile "
            "that file themselves.\n"
        )
    if bundle.device is Device.IMX8MP_NPU:
        needs += (
            "- The first run compiles the networks, 40 seconds to 2 minutes; the result is kept in "
            "`vx-graphs/`.\n"
        )
    return needs


def _detector_text(bundle: Bundle) -> str:
    if not bundle.detector_variants:
        return "The detector's three nets take pictures of any size and always run on the CPU."
    rows = ", ".join(
        f"`{device.value}` {variant}" for device, variant in bundle.detector_variants.items()
    )
    return (
        f"The detector, {bundle.detector}, runs on the same device as the model: {rows}. Its "
        "integer files see\na photo in one size, reduced until it fits."
    )


def _estimate_text(bundle: Bundle, models: Sequence[InstalledModel]) -> str:
    """States the NPU's time for one verification, if Vela has compiled all its nets."""
    wanted = [(bundle.model, bundle.variants[bundle.device])]
    if bundle.detector_variants:
        wanted.append((bundle.detector, bundle.detector_variants[bundle.device]))
    cards = {(one.card.name, one.card.variant): one.card for one in models}
    spent = [cards[one].npu_milliseconds for one in wanted]
    if None in spent:
        return ""
    what = "two detections and two embeddings" if len(spent) > 1 else "two embeddings"
    total = 2 * sum(filter(None, spent))
    return (
        f"\n\nBy Vela's estimate the NPU takes {total:.1f} ms for one verify, "
        f"{what};\ndecoding and scaling photos on the CPU come on top."
    )


def _other_device(bundle: Bundle) -> str:
    if bundle.device is Device.CPU:
        return ""
    return "./run.sh verify a.jpg b.jpg --device cpu    # without the NPU\n"


def _model_rows(models: Sequence[InstalledModel]) -> str:
    return "\n".join(
        f"| `{model_file(model.card.name, model.card.variant)}` "
        f"| {model.card.file_size_bytes / 1e6:.1f} | `{model.card.file_sha256[:16]}` |"
        for model in models
    )


def _device_rows(bundle: Bundle) -> str:
    return "\n".join(
        f"| `{device.value}` | {bundle.model}, {variant} |"
        for device, variant in bundle.variants.items()
    )


def _threshold_rows(bundle: Bundle, models: Sequence[InstalledModel]) -> str:
    (card,) = (
        model.card
        for model in models
        if model.card.task is Task.EMBEDDING
        and model.card.variant == bundle.variants[bundle.device]
    )
    rows = [
        f"| {point.target} | {1 - point.threshold_similarity:.4f} "
        f"| {'unknown' if point.fmr is None else f'{point.fmr:.2g}'} "
        f"| {point.dataset}, {point.protocol} |"
        for point in card.calibration.operating_points
    ]
    return "\n".join(rows or ["| none measured | pass `--threshold` | | |"])
