"""Every way in which weights can fail to fit, on a net small enough to write down."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from facekit.errors import ModelBuildError

if TYPE_CHECKING:
    import keras

    from facekit.graph.weights import VariableSource

pytestmark = pytest.mark.tensorflow


class Case:
    """A net of one dense layer from 3 to 2, and a source that fits it."""

    def __init__(self) -> None:
        from facekit.graph.weights import Fill, Take

        self.net = net()
        self.source: dict[str, np.ndarray[Any, Any]] = {
            "w": np.arange(6, dtype=np.float32).reshape(2, 3),
            "scale": np.full(4, 0.5, np.float32),
            "unused": np.zeros(1, np.float32),
        }
        self.rules: dict[str, VariableSource] = {
            "last/kernel": Take("w", np.transpose),
            "last/bias": Fill(7.0),
        }
        self.expected = {"scale": 0.5}
        self.ignored = ["unused"]

    def port(self) -> None:
        from facekit.graph.weights import port

        port(
            self.net,
            self.source,
            self.rules,
            expected=self.expected,
            ignored=self.ignored,
            origin="some.file",
        )


def net() -> keras.Model:
    from facekit.system.keras_backend import keras

    given = keras.Input((3,))
    return keras.Model(given, keras.layers.Dense(2, name="last")(given), name="small")


def test_assigns_what_the_rules_say() -> None:
    case = Case()
    case.port()
    kernel, bias = (variable.numpy() for variable in case.net.variables)
    np.testing.assert_array_equal(kernel, [[0, 3], [1, 4], [2, 5]])
    np.testing.assert_array_equal(bias, [7, 7])


def _no_rule(case: Case) -> None:
    del case.rules["last/bias"]


def _no_such_variable(case: Case) -> None:
    case.rules["first/kernel"] = case.rules["last/bias"]


def _tensor_missing(case: Case) -> None:
    del case.source["w"]


def _tensor_surplus(case: Case) -> None:
    case.source["w2"] = case.source["w"]


def _many_surplus(case: Case) -> None:
    case.source |= {f"s{index}": case.source["w"] for index in range(5)}


def _taken_twice(case: Case) -> None:
    case.rules["last/bias"] = case.rules["last/kernel"]


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
        (_no_rule, "has no value for the variables last/bias"),
        (_no_such_variable, "variables that the graph has not: first/kernel"),
        (_tensor_missing, "lacks the tensors w "),
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
    before = [variable.numpy() for variable in case.net.variables]
    spoil(case)
    with pytest.raises(ModelBuildError, match=rf"^some\.file:? .*{message}"):
        case.port()
    for variable, value in zip(case.net.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
