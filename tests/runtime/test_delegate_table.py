"""The table of delegates: what is found, and which package each file belongs to."""

from __future__ import annotations

from pathlib import Path

import pytest

from facekit.board.bsp import BSPS
from facekit.enums import Device, LiteRtPackage
from facekit.runtime.devices import (
    ACCELERATORS,
    DELEGATES,
    delegates_found,
    known_delegate,
)

LITERT, TFLITE = LiteRtPackage.AI_EDGE_LITERT, LiteRtPackage.TFLITE_RUNTIME


def test_every_device_but_the_cpu_has_a_delegate() -> None:
    assert set(ACCELERATORS) == set(Device) - {Device.CPU}
    assert all(accelerator.delegates for accelerator in ACCELERATORS.values())


@pytest.mark.parametrize(
    ("name", "package"),
    [
        *((f"lib{npu}_delegate.so", TFLITE) for npu in ("ethosu", "vx", "neutron")),
        *((f"liblitert_{npu}_delegate.so", LITERT) for npu in ("ethosu", "vx", "neutron")),
        ("libteflon.so", None),
        ("libmy_own.so", None),
    ],
)
def test_a_files_name_says_which_package_it_is_built_for(
    name: str, package: LiteRtPackage | None, tmp_path: Path
) -> None:
    (tmp_path / name).touch()
    (tmp_path / "npu.so").symlink_to(name)
    for library in (Path(name), Path("/opt/vendor") / f"{name}.2", tmp_path / "npu.so"):
        known = known_delegate(library)
        assert (known is not None) == (name != "libmy_own.so")
        assert (known and known.package) is package


def test_a_name_that_only_resembles_a_delegates_is_not_known() -> None:
    for other in ("libmy_vx_delegate.so", "vx_delegate.so", "libvx_delegate.a", ".so"):
        assert known_delegate(Path(other)) is None
    assert all(known_delegate(Path(row.file_name)) is row for row in DELEGATES)


def test_delegates_are_listed_in_the_order_of_preference(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    for path in (
        a / "liblitert_vx_delegate.so",
        a / "libteflon.so",
        b / "libvx_delegate.so",
        b / "libethosu_delegate.so",
        b / "libother.so",
    ):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    folders = (a, b, tmp_path / "absent")
    found = delegates_found(folders, device=Device.IMX8MP_NPU)
    assert [(one.path, one.package) for one in found] == [
        (b / "libvx_delegate.so", TFLITE),
        (a / "liblitert_vx_delegate.so", LITERT),
        (a / "libteflon.so", None),
    ]
    assert [one.path.name for one in delegates_found(folders)] == [
        "libethosu_delegate.so",
        "libvx_delegate.so",
        "liblitert_vx_delegate.so",
        "libteflon.so",
    ]
    assert delegates_found((tmp_path / "absent",)) == ()
    assert found[0].accelerators == ("VeriSilicon NPU (i.MX 8M Plus)",)


def test_images_with_a_runtime_have_its_delegates() -> None:
    """Neutron came with the i.MX 95, after 6.1; LiteRT with 6.12.49."""
    for row in DELEGATES:
        assert set(row.bsps) <= set(BSPS)
        if row.package is LITERT:
            assert set(row.bsps) == {name for name, bsp in BSPS.items() if bsp.ai_edge_litert}
        if row.package is TFLITE:
            without = {"6.1"} if Device.IMX95_NPU in row.devices else set()
            assert set(row.bsps) == set(BSPS) - without
