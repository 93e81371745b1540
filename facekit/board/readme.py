"""Writes the README of a bundle: its content, and the commands for the board."""

from __future__ import annotations

from collections.abc import Sequence

from facekit.board.bsp import BSPS, version_text
from facekit.board.manifest import Bundle, model_file
from facekit.board.targets import BundleTarget
from facekit.enums import Device
from facekit.model.card import Task
from facekit.model.store import InstalledModel
from facekit.template.wording import marked
from facekit.version import __version__


def readme(target: BundleTarget, bundle: Bundle, models: Sequence[InstalledModel]) -> str:
    """Returns the README as Markdown."""
    return f"""# facekit {__version__} for {target.title}

Are two photos of the same person? Everything that answers is in this folder: the models with
their cards and thresholds, facekit as a wheel, and shell scripts.

## Needs

{_image_needs(bundle)}{_npu_needs(target, bundle)}
## Use

```sh
sha256sum -c SHA256SUMS                # was it copied well?
./run.sh doctor                        # what is here, and what is missing
./selftest.sh                          # three faces: does the device answer as the CPU does?
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
exit code is 6 and the reason is on stderr. `--allow-cpu-fallback` permits it. A driver that is
known not to take these files is refused in the same way; `--device cpu` always works.

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


def _image_needs(bundle: Bundle) -> str:
    """Says what the image must have; with a BSP, what it has."""
    runtime = bundle.board.runtime
    named = "`tflite_runtime` or `ai_edge_litert`" if runtime is None else f"`{runtime.value}`"
    if bundle.board.bsp is None:
        return (
            "- Python 3.10 or later with NumPy, OpenCV (`cv2`) and click; `./run.sh doctor` says "
            "which\n  versions are too old.\n"
            f"- The runtime {named}.\n"
        )
    row = BSPS[bundle.board.bsp]
    kernels = version_text(row.kernels)
    litert = "" if row.ai_edge_litert is None else f", ai_edge_litert {row.ai_edge_litert}"
    if row.ai_edge_litert_since is not None:
        litert += f" (since kernel {row.ai_edge_litert_since})"
    return (
        f"NXP's BSP {row.name} (kernel {kernels}), whose images have Python {row.python}, NumPy "
        f"{row.numpy},\nOpenCV {version_text(row.opencv)} and tflite_runtime "
        f"{version_text(row.tflite_runtime)}{litert}. facekit uses these.\n\n"
        f"- click: `python3 -m pip install --no-deps click=={row.click}`, where the image lacks "
        f"it.\n- The runtime {named}.\n"
    )


def _npu_needs(target: BundleTarget, bundle: Bundle) -> str:
    if bundle.device is Device.CPU:
        return ""
    needs = (
        f"- `{bundle.board.delegate}` in /usr/lib; elsewhere: `--delegate PATH`. It belongs to the "
        "runtime\n  above, and to no other.\n"
    )
    if target.accelerator is not None:
        needs += _vela_needs(target, bundle)
    if bundle.device is Device.IMX8MP_NPU:
        needs += (
            "- The first run compiles the graph, 40 s to 2 minutes; the result is kept in "
            "`vx-graphs/`\n  of this folder.\n"
        )
    if target.neutron_target is not None:
        needs += _neutron_needs(target, bundle)
    return needs


def _vela_needs(target: BundleTarget, bundle: Bundle) -> str:
    version = (bundle.compiled and bundle.compiled.version) or "of an unknown version"
    own = "the image's own"
    if bundle.board.bsp is not None:
        own = f"the image's own (Vela {version_text(BSPS[bundle.board.bsp].vela)})"
    return (
        f"- A driver that takes the files of Vela {version}. Known drivers compare the commands' "
        "format and\n  the NPU, and both fit. Should the board refuse them nevertheless, compile "
        f"the uint8 file with\n  {own} and pack it by `facekit bundle --npu-model`, or "
        f"pass\n  `--model {bundle.model}:int8`: delegates of LF6.1.36_2.1.0 and later compile "
        "that file themselves.\n"
    )


def _neutron_needs(target: BundleTarget, bundle: Bundle) -> str:
    """The way of NXP's eIQ Neutron SDK, documentation of Neutron Converter."""
    version = bundle.compiled and bundle.compiled.version
    if bundle.compiled is not None:
        return (
            f"- Neutron firmware of the version that compiled the files: "
            f"{version or 'it was not said which'}.\n  On the board: `strings "
            "/usr/lib/firmware/NeutronFirmware.elf | grep 'Firmware ver'`\n"
            "- The thresholds below were measured on the int8 file, before it was compiled: let "
            "`./selftest.sh`\n  compare the NPU with the CPU before you rely on them.\n"
        )
    variant = bundle.variants[bundle.device]
    name = f"{bundle.model}_{variant}"
    return f"""- Files for the NPU, which are not compiled yet: only NXP's converter can do it. Its
  version must be that of the board's firmware:
  `strings /usr/lib/firmware/NeutronFirmware.elf | grep 'Firmware ver'`. Fetch the eIQ Neutron
  SDK of this very version (part of NXP's eIQ Toolkit, for x86-64), and there:

  ```sh
  neutron-converter --version
  neutron-converter --input {name}.tflite --output {name}_neutron.tflite \\
      --target {target.neutron_target}
  facekit bundle {bundle.model} --target {bundle.target} --models FOLDER \\
      --npu-model {name}_neutron.tflite --npu-compiler VERSION -o BUNDLE.tar.gz
  ```

  Until then the delegate accepts no operators of these files, or few: `--device cpu` runs them.
"""


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
        f"| {marked(f'{point.dataset}, {point.protocol}', card.calibration.measured_by)} |"
        for point in card.calibration.operating_points
    ]
    return "\n".join(rows or ["| none measured | pass `--threshold` | | |"])
