"""Lines written to file descriptor 2, as C code does, while it is turned aside."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from facekit.system.native_output import captured, captured_output


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


def test_threads_share_it_and_no_line_is_lost(capfd: pytest.CaptureFixture[str]) -> None:
    kept: list[str] = []

    def work(number: int) -> None:
        for turn in range(50):
            with captured(is_chatter) as lines:
                os.write(2, f"lib: {number}.{turn}\nours {number}.{turn}\n".encode())
            kept.extend(lines)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every = sorted(f"{number}.{turn}" for number in range(4) for turn in range(50))
    assert sorted(line.removeprefix("lib: ") for line in kept) == every
    passed_on = capfd.readouterr().err.splitlines()
    assert sorted(line.removeprefix("ours ") for line in passed_on) == every


def test_a_line_is_taken_whole_where_another_block_goes_on(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with captured(is_chatter) as outer:
        with captured(is_chatter) as inner:
            os.write(2, b"lib: first\nlib: sec")
        os.write(2, b"ond\n")
    assert (inner, outer) == (["lib: first"], ["lib: second"])
    assert capfd.readouterr().err == ""


def test_one_thread_does_not_wait_for_another() -> None:
    inside = threading.Event()
    leave = threading.Event()

    def stay() -> None:
        with captured(is_chatter):
            inside.set()
            leave.wait(30)

    thread = threading.Thread(target=stay)
    thread.start()
    assert inside.wait(30)
    with captured(is_chatter) as lines:
        os.write(2, b"lib: mine\n")
    assert lines == ["lib: mine"]
    leave.set()
    thread.join()


def test_each_of_two_blocks_gets_its_own_chatter(capfd: pytest.CaptureFixture[str]) -> None:
    with captured(lambda line: line.startswith(b"outer")) as outer:
        with captured(lambda line: line.startswith(b"inner")) as inner:
            os.write(2, b"outer 1\ninner 1\nnobody's 1\n")
        os.write(2, b"inner 2\nouter 2\n")
    assert (outer, inner) == (["outer 1", "outer 2"], ["inner 1"])
    assert capfd.readouterr().err == "nobody's 1\ninner 2\n"


def test_a_process_without_stderr() -> None:
    program = (
        "import os; os.close(2)\n"
        "from facekit.system.native_output import captured\n"
        "with captured(lambda line: True) as lines: print('inside')\n"
        "print(lines)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True)
    assert run.stdout.splitlines() == [b"inside", b"[]"]


def test_held_back_output_is_shown_on_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with captured_output():
        print("said by Python")
        os.write(1, b"said by C++\n")
    assert capfd.readouterr() == ("", "")
    with pytest.raises(ValueError, match="no such graph"), captured_output():
        _say_and_fail()
    assert capfd.readouterr() == ("", "said before it went wrong\n")


def _say_and_fail() -> None:
    os.write(1, b"said before it went wrong\n")
    raise ValueError("no such graph")
