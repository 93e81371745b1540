"""Delegates, with a real one: external_delegate.c, which writes 42 into every output."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from facekit.enums import Device
from facekit.errors import AcceleratorError, UsageError
from facekit.runtime.delegates import (
    AcceleratorRequest,
    OpenedNet,
    open_net,
    parse_options,
)
from tests.c_delegate import COMPILER, compile_delegate, needs_compiler


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_delegate(tmp_path_factory.mktemp("delegate") / "libtest_delegate.so")


@pytest.fixture
def model(data: Path) -> Path:
    return data / "tiny" / "float32.tflite"


def opened(
    model: Path, library: Path, *options: tuple[str, str], allow_cpu_fallback: bool = False
) -> OpenedNet:
    return open_net(
        model,
        request=AcceleratorRequest(
            delegate=library, options=options, allow_cpu_fallback=allow_cpu_fallback
        ),
    )


def outputs(found: OpenedNet) -> np.ndarray:
    return found.net.run(np.zeros((2, 16, 16, 3), np.float32))[0]


@needs_compiler
def test_a_delegate_that_takes_the_network_computes_it(model: Path, library: Path) -> None:
    found = opened(model, library)
    assert found.delegate == library
    assert found.fallback_reason == ""
    assert found.delegated_nodes == 1
    np.testing.assert_array_equal(outputs(found), np.full((2, 10), 42.0, np.float32))


@needs_compiler
def test_a_delegate_that_takes_nothing_is_an_error(model: Path, library: Path) -> None:
    with pytest.raises(AcceleratorError, match=r"libtest_delegate\.so took no operator of .*float"):
        opened(model, library, ("take", "none"))


@needs_compiler
@pytest.mark.parametrize("option", [("take", "none"), ("take", "fail"), ("refuse", "no NPU")])
def test_the_cpu_is_used_where_that_is_allowed_and_it_is_said(
    model: Path, library: Path, option: tuple[str, str]
) -> None:
    found = opened(model, library, option, allow_cpu_fallback=True)
    assert found.delegate is None
    assert str(library) in found.fallback_reason or "no accelerator" in found.fallback_reason
    on_cpu = open_net(model, request=AcceleratorRequest())
    assert on_cpu.fallback_reason == ""
    np.testing.assert_array_equal(outputs(found), outputs(on_cpu))
    assert not np.any(outputs(found) == 42.0)


@needs_compiler
@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("refuse", "no NPU here"), r"libtest_delegate\.so cannot be loaded by .*no NPU here"),
        (("take", "fail"), "The delegate cannot run .*there is no accelerator"),
    ],
)
def test_a_delegate_that_fails_is_quoted(
    model: Path, library: Path, option: tuple[str, str], message: str
) -> None:
    with pytest.raises(AcceleratorError, match=message):
        opened(model, library, option)


@needs_compiler
def test_a_failure_while_running_is_the_accelerators(model: Path, library: Path) -> None:
    found = opened(model, library, ("invoke", "fail"))
    with pytest.raises(AcceleratorError, match="the accelerator does not answer"):
        outputs(found)


@needs_compiler
def test_a_vela_file_runs_through_a_delegate_and_says_so_without(data: Path, library: Path) -> None:
    compiled = data / "nets" / "int8_vela.tflite"
    assert opened(compiled, library).delegated_nodes == 1
    message = "compiled by Vela for an Ethos-U NPU and runs only there"
    with pytest.raises(AcceleratorError, match=message):
        open_net(compiled, request=AcceleratorRequest())
    with pytest.raises(AcceleratorError, match=message):
        opened(compiled, library, ("take", "none"), allow_cpu_fallback=True)


def test_a_missing_library_is_named(model: Path, tmp_path: Path) -> None:
    with pytest.raises(AcceleratorError, match=r"none\.so cannot be loaded by .*No such file"):
        opened(model, tmp_path / "none.so")


def test_a_file_that_is_no_library(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "text.so"
    path.write_text("not an ELF file")
    with pytest.raises(AcceleratorError, match=r"text\.so cannot be loaded"):
        opened(model, path)


@needs_compiler
def test_a_library_that_is_no_delegate(model: Path, tmp_path: Path) -> None:
    source, path = tmp_path / "other.c", tmp_path / "libother.so"
    source.write_text("int other(void) { return 1; }\n")
    subprocess.run([str(COMPILER), "-shared", "-fPIC", "-o", str(path), str(source)], check=True)
    with pytest.raises(AcceleratorError, match="it is no LiteRT delegate"):
        opened(model, path)


def test_options_are_keys_with_values() -> None:
    assert parse_options(["a=1", "b=x=y", "c="]) == (("a", "1"), ("b", "x=y"), ("c", ""))
    for wrong in ("a", "=1", ""):
        with pytest.raises(UsageError, match="KEY=VALUE"):
            parse_options([wrong])


def test_requests_that_cannot_be_meant() -> None:
    with pytest.raises(UsageError, match="pass one of them"):
        AcceleratorRequest(device=Device.IMX93_NPU, delegate=Path("x.so"))
    with pytest.raises(UsageError, match="needs --delegate or --device"):
        AcceleratorRequest(options=(("a", "1"),)).require_delegate_for_options()
