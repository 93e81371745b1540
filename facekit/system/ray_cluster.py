"""Maps a function over many items on a Ray cluster, as `processes.map_processes` does on a
machine."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from facekit.errors import ModelError, UsageError
from facekit.system.extras import require
from facekit.system.processes import AHEAD, TRIES, Crash, Tasks, available_cores

Item = TypeVar("Item")
Result = TypeVar("Result")

LOCAL, AUTO = "local", "auto"
"""Address of a Ray on this machine alone, which is started and ended here."""

_PASSED_ON = ("FACEKIT_HOME", "FACEKIT_RUNTIME")
"""Environment variables that an actor takes from here and not from its node."""


class _Actor(Generic[Item, Result]):
    """One process of the cluster.  Loading is a call of its own, so that no item is sent to an
    actor
    that the cluster has no room for yet."""

    def __init__(self, make_function: Callable[[], Callable[[Item], Result]]) -> None:
        self._make = make_function

    def load(self) -> None:
        self._function = self._make()

    def run(self, item: Item) -> Result:
        return self._function(item)


def map_ray(
    make_function: Callable[[], Callable[[Item], Result]],
    items: Iterable[Item],
    *,
    address: str,
    workers: int,
) -> Iterator[Result | Crash]:
    """Yields `make_function()(item)` for each item, in the order of the items.

    `address` is "local", "auto" (the cluster that this machine is part of) or ray://host:port.
    Each worker is an actor of one core, so there are never more workers than the cluster has cores.
    `make_function` and the items must have the same meaning on every node; an error that
    `make_function` raises there is raised here.

    Raises MissingExtraError; UsageError if no cluster answers; ModelError if actors end before
    their first item.
    """
    if workers < 1:
        raise ValueError(f"At least one worker is needed. Received: {workers}")
    if address not in (LOCAL, AUTO) and not address.startswith("ray://"):
        raise UsageError(f"--ray needs local, auto or ray://HOST:PORT. Received: {address}")
    with _connected(address) as ray:
        cores = int(ray.cluster_resources().get("CPU", 0))
        if cores == 0:
            raise UsageError(f"--ray {address}: a Ray cluster without a core. Add a node to it.")
        yield from _map(ray, make_function, Tasks(enumerate(items)), min(workers, cores))


def _map(
    ray: Any,
    make_function: Callable[[], Callable[[Item], Result]],
    tasks: Tasks[Item],
    workers: int,
) -> Iterator[Result | Crash]:
    remote = ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(_Actor)
    loading: dict[Any, Any] = {}  # reference of the loading call -> its actor
    busy: dict[Any, tuple[Any, tuple[int, Item]]] = {}
    idle: list[Any] = []
    done: dict[int, Result | Crash] = {}
    awaited = stillborn = 0
    while True:
        while len(loading) + len(busy) + len(idle) < workers:
            actor = remote.remote(make_function)
            loading[actor.load.remote()] = actor
        while awaited in done:
            yield done.pop(awaited)
            awaited += 1
        while idle and len(done) + len(busy) < AHEAD * workers and (task := tasks.take()):
            actor = idle.pop()
            busy[actor.run.remote(task[1])] = actor, task
        if idle and not busy:
            return
        (ready,), _ = ray.wait([*busy, *loading], num_returns=1)
        if ready in loading:
            actor = loading.pop(ready)
            try:
                _get(ray, ready)
                idle.append(actor)
                stillborn = 0
            except ray.exceptions.RayError as error:
                stillborn += 1
                if stillborn == TRIES:
                    raise ModelError(
                        f"Two Ray actors in a row ended before their first item: {error}"
                    ) from error
            continue
        actor, (index, item) = busy.pop(ready)
        try:
            done[index] = _get(ray, ready)
            idle.append(actor)
        except ray.exceptions.RayError:
            ray.kill(actor)  # an actor whose connection broke would keep its core
            if not tasks.again_after_crash((index, item)):
                done[index] = Crash(None)


def _get(ray: Any, reference: Any) -> Any:
    """Returns the answer.  Raises RayError if the actor has ended, else the actor's error."""
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Connects and yields the module ray; Ray prints nothing and sends no usage reports."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray = require("ray", extra="ray", needed_for="A Ray cluster")
    own = {"num_cpus": available_cores(), "include_dashboard": False} if address == LOCAL else {}
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    try:
        ray.init(
            address,
            runtime_env={"env_vars": passed_on},
            log_to_driver=False,
            logging_level=logging.ERROR,
            **own,
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"--ray {address}: no Ray cluster answers there: {error}") from error
    try:
        yield ray
    finally:
        ray.shutdown()
