"""Every way in which a file's tensors can fail to fit, on a net small enough to write down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from facekit.errors import ModelBuildError
from facekit.graph import operations
from facekit.graph.graph import Graph
from facekit.graph.weights import Fill, SourceWeights, Take, Weights


class Case:
    """A net of one dense layer from 3 to 2, and a source that fits it."""

    def __init__(self) -> None:
        self.source: dict[str, np.ndarray[Any, Any]] = {
            "w": np.arange(6, dtype=np.float32).reshape(2, 3),
            "scale": np.full(4, 0.5, np.float32),
            "unused": np.zeros(1, np.float32),
        }
        self.rules: dict[str, Take | Fill] = {
            "last/kernel": Take("w", np.transpose),
            "last/bias": Fill(7.0),
        }
        self.expected = {"scale": 0.5}
        self.ignored = ["unused"]

    def graph(self) -> Graph:
        return net(
            SourceWeights(
                self.source,
                self.rules.get,
                expected=self.expected,
                ignored=self.ignored,
                origin="some.file",
            )
        )


def net(weights: Weights) -> Graph:
    x = operations.graph_input("given", (1, 3))
    kernel, bias = weights.take("last/kernel", (3, 2)), weights.take("last/bias", (2,))
    return weights.graph("small", operations.dense(x, kernel, "last", bias=bias))


def test_takes_what_the_rules_say() -> None:
    (last,) = Case().graph().outputs
    np.testing.assert_array_equal(last.weights["kernel"], [[0, 3], [1, 4], [2, 5]])
    np.testing.assert_array_equal(last.weights["bias"], [7, 7])


def test_a_weight_that_a_net_may_lack_is_asked_for_first() -> None:
    case = Case()
    weights = SourceWeights(case.source, case.rules.get, origin="some.file")
    assert weights.has("last/bias")
    assert not weights.has("last/gamma")


def _no_rule(case: Case) -> None:
    del case.rules["last/bias"]


def _tensor_missing(case: Case) -> None:
    del case.source["w"]


def _constant_missing(case: Case) -> None:
    del case.source["scale"]


def _tensor_surplus(case: Case) -> None:
    case.source["w2"] = case.source["w"]


def _many_surplus(case: Case) -> None:
    case.source |= {f"s{index}": case.source["w"] for index in range(5)}


def _taken_twice(case: Case) -> None:
    case.rules["last/bias"] = Take("w", lambda kernel: kernel[:, 0])


def _taken_and_ignored(case: Case) -> None:
    case.ignored.append("w")


def _wrong_shape(case: Case) -> None:
    case.source["w"] = case.source["w"].T.copy()


def _not_a_number(case: Case) -> None:
    case.source["w"][1, 1] = np.nan


def _infinite(case: Case) -> None:
    case.source["w"][0, 0] = np.inf


def _other_dtype(case: Case) -> None:
    case.source["w"] = case.source["w"].astype(np.float16)


def _other_constant(case: Case) -> None:
    case.source["scale"][2] = 0.25


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_no_rule, "has no value for the weight last/bias"),
        (_tensor_missing, "lacks the tensor w"),
        (_constant_missing, "lacks the tensor scale"),
        (_tensor_surplus, "no place in the graph: w2 "),
        (_many_surplus, "no place in the graph: s0, s1, s2 and 2 more"),
        (_taken_twice, "gives several places to w "),
        (_taken_and_ignored, "gives several places to w "),
        (_wrong_shape, r"w does not fit last/kernel: shape \(3, 2\) needed, received \(2, 3\)"),
        (_not_a_number, "w holds values that are not finite"),
        (_infinite, "w holds values that are not finite"),
        (_other_dtype, "w must be float32. Received: float16"),
        (_other_constant, r"scale must be 0\.5 throughout"),
    ],
)
def test_refuses_and_names(spoil: Callable[[Case], None], message: str) -> None:
    case = Case()
    spoil(case)
    with pytest.raises(ModelBuildError, match=rf"^some\.file:? .*{message}"):
        case.graph()
