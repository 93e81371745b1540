"""A process in which functions are tried: what it answers, and how its end is told."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

from facekit.system.trial import Died, limit_memory, limit_processor_time, try_each

HERE = "tests.system.test_trial"


def behave(item: dict[str, Any]) -> Any:
    """Run in the other process: does what the item says."""
    if item.get("print"):
        print("what a library prints", flush=True)
        os.write(1, b"what its C code prints\n")
    if item.get("signal"):
        os.kill(os.getpid(), item["signal"])
    if item.get("exit"):
        print("the reason", file=sys.stderr)
        os._exit(item["exit"])
    time.sleep(item.get("sleep_s", 0))
    return {"process": os.getpid(), "folder": os.getcwd()}


def test_answers_come_in_order_from_one_process_whatever_is_printed() -> None:
    first, second = try_each(f"{HERE}:behave", [{"print": True}, {}])
    assert first == second == {"process": first["process"], "folder": os.getcwd()}
    assert first["process"] != os.getpid()


def test_without_items_there_is_no_process() -> None:
    assert list(try_each("no_such_module:function", [])) == []


def test_items_after_one_that_kills_the_process_are_answered_by_another() -> None:
    items = [{}, {"signal": int(signal.SIGSEGV)}, {}, {"exit": 3}, {}]
    first, killed, third, ended, last = try_each(f"{HERE}:behave", items)
    assert killed == Died("was ended by SIGSEGV")
    assert ended == Died("ended with exit code 3: the reason")
    assert len({answer["process"] for answer in (first, third, last)}) == 3


def test_an_item_that_takes_too_long_is_given_up() -> None:
    slow, quick = try_each(f"{HERE}:behave", [{"sleep_s": 600}, {}], longest_s=10)
    assert slow == Died("has not answered within 10 s")
    assert quick["folder"] == os.getcwd()


def test_a_function_that_raises_says_why() -> None:
    (answer,) = try_each(f"{HERE}:no_such_function", [{}])
    assert isinstance(answer, Died)
    assert answer.how.startswith("ended with exit code 1: ")
    assert "no_such_function" in answer.how


def test_what_this_process_finds_is_found_there(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "found_there.py").write_text("def double(number): return 2 * number\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert list(try_each("found_there:double", [1, 2])) == [2, 4]


def limited(gibibytes: int) -> list[int]:
    """Run in the other process: its limits once it has limited itself, in GiB."""
    resource.setrlimit(resource.RLIMIT_DATA, (gibibytes << 30, gibibytes << 30))
    limit_memory()
    return [limit >> 30 for limit in resource.getrlimit(resource.RLIMIT_DATA)]


def test_a_lower_limit_of_memory_is_kept() -> None:
    """Only root may raise a hard limit: for anybody else it would be an error."""
    assert list(try_each(f"{HERE}:limited", [4])) == [[4, 4]]


def endless(_: None) -> None:
    """Run in the other process, which has one second of processor time for it."""
    limit_processor_time(0.5)
    while True:
        pass


def test_a_process_that_works_for_too_long_is_ended() -> None:
    (answer,) = try_each(f"{HERE}:endless", [None])
    assert answer == Died("has taken too much processor time")
