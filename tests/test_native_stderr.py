"""Lines written to file descriptor 2, as C code does, while it is turned aside."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from facekit.native_stderr import captured


def is_chatter(line: bytes) -> bool:
    return line.startswith(b"lib: ")


def test_chatter_is_kept_and_the_rest_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    with captured(is_chatter) as lines:
        os.write(2, b"lib: one\nours\nlib: t\xff\nno end of line")
    assert lines == ["lib: one", "lib: t\ufffd"]
    assert capfd.readouterr().err == "ours\nno end of line"


def test_stderr_is_back_after_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), captured(is_chatter):
        os.write(2, b"before\n" * (1 // 0))
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_no_descriptor_is_left_open() -> None:
    before = os.listdir("/dev/fd")
    for _ in range(20):
        with captured(is_chatter):
            pass
    assert len(os.listdir("/dev/fd")) == len(before)


def test_threads_take_turns(capfd: pytest.CaptureFixture[str]) -> None:
    kept: dict[int, list[str]] = {}

    def work(number: int) -> None:
        for _ in range(50):
            with captured(is_chatter) as lines:
                os.write(2, f"lib: {number}\n".encode())
            kept.setdefault(number, []).extend(lines)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kept == {number: [f"lib: {number}"] * 50 for number in range(4)}
    assert capfd.readouterr().err == ""


def test_a_process_without_stderr() -> None:
    program = (
        "import os; os.close(2)\n"
        "from facekit.native_stderr import captured\n"
        "with captured(lambda line: True) as lines: print('inside')\n"
        "print(lines)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True)
    assert run.stdout.splitlines() == [b"inside", b"[]"]
