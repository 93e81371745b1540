"""Worker processes: an answer each, errors for what crashes or hangs, nothing else lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from facekit.errors import ModelError, ModelMissingError, ServiceError, StorageError
from facekit.server.workers import WorkerPool
from tests.server.worker_functions import cannot_open, open_answers


@pytest.fixture
def pool() -> Iterator[WorkerPool[Any, Any]]:
    made: WorkerPool[Any, Any] = WorkerPool(open_answers, workers=2, longest_s=20)
    made.start()
    yield made
    made.close()


def test_both_workers_answer_at_the_same_time(pool: WorkerPool[Any, Any]) -> None:
    answers = [pool.submit(0.3) for _ in range(2)]
    assert {answer.result(10)[1] for answer in answers} == set(pool.process_ids)


def test_bytes_of_many_megabytes_come_back(pool: WorkerPool[Any, Any]) -> None:
    content = os.urandom(30_000_000)
    assert pool.submit(content).result(20)[0] == content


@pytest.mark.parametrize(
    ("item", "ending"), [("die", "ended by SIGSEGV"), ("leave", "ended with exit code 3")]
)
def test_what_kills_its_worker_has_an_error_and_the_others_their_answers(
    pool: WorkerPool[Any, Any], item: str, ending: str
) -> None:
    killed = pool.submit(item)
    others = [pool.submit(number) for number in range(20)]
    with pytest.raises(ServiceError, match=ending):
        killed.result(20)
    assert [answer.result(20)[0] for answer in others] == list(range(20))
    wait_until(lambda: len(pool.process_ids) == 2)
    assert pool.restart_count == 1


def test_a_worker_that_is_killed_while_idle_is_replaced_and_nothing_is_lost(
    pool: WorkerPool[Any, Any],
) -> None:
    before = set(pool.process_ids)
    for process_id in before:
        os.kill(process_id, signal.SIGKILL)
    wait_until(lambda: pool.restart_count == 2 and len(pool.process_ids) == 2)
    assert not before & set(pool.process_ids)
    assert pool.submit(1).result(10)[0] == 1


def test_what_takes_too_long_is_ended_also_where_the_worker_does_not_run() -> None:
    """A stopped process reads no pipe: what is sent to it must not wait for ever either."""
    pool: WorkerPool[Any, Any] = WorkerPool(open_answers, workers=1, longest_s=1)
    pool.start()
    try:
        with pytest.raises(ServiceError, match="more than 1 s, the limit"):
            pool.submit(60.0).result(10)
        wait_until(lambda: bool(pool.process_ids))
        os.kill(pool.process_ids[0], signal.SIGSTOP)
        with pytest.raises(ServiceError, match="the limit"):
            pool.submit(bytes(10_000_000)).result(10)
        late = [pool.submit(0.8) for _ in range(3)]
        with pytest.raises(ServiceError, match="limit"):
            late[2].result(10)
    finally:
        pool.close()


@pytest.mark.slow
def test_killed_twenty_times_under_load_each_kill_costs_one_request_at_most(
    pool: WorkerPool[Any, Any],
) -> None:
    kills = 20
    done: list[Any] = []
    lost: list[Exception] = []
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            try:
                done.append(pool.submit(0.01).result(20))
            except ServiceError as error:
                lost.append(error)

    clients = [threading.Thread(target=ask) for _ in range(4)]
    for client in clients:
        client.start()
    for number in range(kills):
        wait_until(lambda: len(pool.process_ids) == 2)
        with suppress(ProcessLookupError):
            os.kill(pool.process_ids[number % 2], signal.SIGKILL)
        time.sleep(0.1)
    is_over.set()
    for client in clients:
        client.join(30)
        assert not client.is_alive()
    assert len(lost) <= kills
    assert all("SIGKILL" in str(error) for error in lost)
    assert len(done) > 5 * kills


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ModelMissingError("no model"), ModelMissingError),
        (StorageError("no disk"), StorageError),
        (ModelError("neither"), ModelError),
    ],
)
def test_what_cannot_be_opened_is_the_error_of_starting(
    error: Exception, kind: type[Exception]
) -> None:
    pool: WorkerPool[Any, Any] = WorkerPool(partial(cannot_open, error), workers=2, longest_s=9)
    with pytest.raises(kind, match=str(error)):
        pool.start()
    pool.close()


def test_the_first_worker_opens_alone_and_what_it_prints_is_not_on_stdout(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    started = tmp_path / "started"
    pool: WorkerPool[Any, Any] = WorkerPool(
        partial(open_answers, str(started)), workers=3, longest_s=20
    )
    pool.start()
    assert started.read_text() == "xxx"
    pool.submit("print").result(10)
    pool.close()
    assert capfd.readouterr().out == ""


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    code = (
        "import time\n"
        "from facekit.server.workers import WorkerPool\n"
        "from tests.server.worker_functions import open_answers\n"
        "if __name__ == '__main__':\n"
        "    pool = WorkerPool(open_answers, workers=2, longest_s=9)\n"
        "    pool.start()\n"
        "    print(*pool.process_ids, flush=True)\n"
        "    time.sleep(60)\n"
    )
    (tmp_path / "parent.py").write_text(code)
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "parent.py")], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        workers = [int(text) for text in parent.stdout.readline().split()]
        assert len(workers) == 2
        parent.kill()
        wait_until(lambda: not any(map(is_running, workers)))


def is_running(process_id: int) -> bool:
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until(is_so: Callable[[], bool], *, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it has not come about"
        time.sleep(0.02)
