"""Targets: those that are shipped, a user's own, and what is wrong with others."""

from __future__ import annotations

from pathlib import Path

import pytest

from facekit.conversion.vela.target import read_target, target_names
from facekit.errors import UsageError


def test_shipped_targets_are_all_readable() -> None:
    assert "imx93" in target_names()
    for name in target_names():
        target = read_target(name)
        assert target.name == name
        assert target.accelerator_config.startswith("ethos-u")


def test_imx93_assumes_two_thirds_of_its_wire_rate() -> None:
    target = read_target("imx93")
    assert target.accelerator_config == "ethos-u65-256"
    own = target.custom_system_config
    axi_bytes = 16
    dram = float(own["Dram_clock_scale"]) * float(own["core_clock"]) * axi_bytes
    assert dram == 5.0e9
    wire_rate = 3733e6 * 16 / 8
    assert dram / wire_rate == pytest.approx(0.67, abs=0.005)


def test_the_sram_of_imx93_is_that_of_its_memory_mode() -> None:
    target = read_target("imx93")
    assert (target.memory_mode, target.sram) == ("Dedicated_Sram_384KB", 384 * 1024)
    other = target.with_memory(mode="Shared_Sram")
    assert (other.memory_mode, other.sram) == ("Shared_Sram", 384 * 1024)
    assert target.with_memory() == target


def test_a_file_of_the_user(tmp_path: Path) -> None:
    path = tmp_path / "board.toml"
    path.write_text(
        'title = "A board"\n'
        'accelerator_config = "ethos-u55-64"\n'
        'memory_mode = "Shared_Sram"\n'
        'system_config = "Ethos_U55_Deep_Embedded"\n'
        'options = ["--tensor-allocator", "Greedy"]\n'
    )
    target = read_target(str(path))
    assert (target.name, target.optimize) == ("board", "Performance")
    assert target.custom_system_config == {}
    assert target.options == ("--tensor-allocator", "Greedy")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title = ", "board.toml cannot be read as a target"),
        ("a" + ".a" * 20_000 + " = 1", "a line of more than 1,000 characters"),
        ("a = " + "[\n" * 20_000, "board.toml cannot be read as a target: it is nested too deep"),
        ('title = "x"', "accelerator_config is missing"),
        ("clock = 1", "unknown keys clock; known: accelerator_config"),
        (
            'title = "x"\naccelerator_config = "u"\nmemory_mode = "m"\nsystem_config = "s"\n'
            "sram = 0",
            "sram is a number of bytes. Received: 0",
        ),
        (
            'title = "x"\naccelerator_config = "u"\nmemory_mode = "m"\nsystem_config = "s"\n'
            'optimize = "Speed"',
            "optimize must be one of Performance, Size. Received: 'Speed'",
        ),
    ],
)
def test_a_file_that_cannot_be_meant(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "board.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        read_target(str(path))


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'imx94'.*Known: .*imx93"):
        read_target("imx94")
    with pytest.raises(UsageError, match="No such file"):
        read_target(str(tmp_path / "none.toml"))
