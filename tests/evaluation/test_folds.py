"""The ten-fold procedure, against its definition written out and against facenet's grid."""

import numpy as np
import pytest

from facekit.errors import UsageError
from facekit.evaluation.metrics.error_rates import Flags, Scores, best_accuracy_threshold
from facekit.evaluation.metrics.folds import facenet_grid_threshold, ten_fold


def view2_like(n_each: int = 30, n_folds: int = 10) -> tuple[Scores, Flags]:
    """Folds of `n_each` genuine, then as many impostor pairs, overlapping a little."""
    random = np.random.default_rng(5)
    same = np.tile(np.arange(2 * n_each) < n_each, n_folds)
    return random.normal(np.where(same, 0.6, 0.1), 0.15).clip(-1, 1).astype(np.float32), same


def test_against_the_procedure_written_out() -> None:
    scores, same = view2_like()
    result = ten_fold(scores, same)
    accuracies = []
    for k, fold in enumerate(result.folds):
        held_out = np.zeros(600, np.bool_)
        held_out[60 * k : 60 * (k + 1)] = True
        threshold = best_accuracy_threshold(scores[~held_out], same[~held_out])
        assert fold.counts.threshold == threshold
        right = (scores[held_out].astype(np.float64) >= threshold) == same[held_out]
        accuracies.append(right.mean())
        assert fold.counts.accuracy == pytest.approx(right.mean(), abs=1e-12)
    assert result.accuracy == pytest.approx((np.mean(accuracies), np.std(accuracies)), abs=1e-12)


def test_pairs_without_a_score_keep_their_place() -> None:
    scores, same = view2_like()
    acquired = np.ones(600, np.bool_)
    acquired[[3, 60, 61]] = False
    holes = np.where(acquired, scores, np.float32(np.nan))
    result = ten_fold(holes, same, acquired=acquired)
    sizes = [fold.counts.n_genuine + fold.counts.n_impostor for fold in result.folds]
    assert sizes == [59, 58] + 8 * [60]
    others = np.arange(600) >= 60
    expected = best_accuracy_threshold(scores[others & acquired], same[others & acquired])
    assert result.thresholds[0] == expected


def test_val_is_marked_where_the_training_folds_cannot_carry_it() -> None:
    scores, same = view2_like()
    result = ten_fold(scores, same, val_fmr_target=1e-3)
    assert not result.val_measurable  # 270 impostor pairs train
    for fold in result.folds:
        assert fold.val_counts.n_impostor == 30
    coarse = ten_fold(scores, same, val_fmr_target=0.05)
    assert coarse.val_measurable
    assert coarse.val[0] > result.val[0]
    assert 0 < coarse.val_fmr < 0.1


def test_view_2_itself_cannot_carry_facenets_far() -> None:
    scores, same = view2_like(n_each=300)
    assert not ten_fold(scores, same).val_measurable  # 2,700 of the 3,000 that 1e-3 needs


def test_a_row_of_scores_for_each_fold() -> None:
    scores, same = view2_like()
    rows = np.stack([scores + 0.01 * k for k in range(10)])
    shifted, plain = ten_fold(rows, same), ten_fold(scores, same)
    for k in range(10):
        assert shifted.folds[k].counts.threshold == pytest.approx(
            plain.folds[k].counts.threshold + 0.01 * k, abs=1e-6
        )


def test_facenets_grid_takes_its_first_best_step() -> None:
    scores, same = view2_like()
    chosen = facenet_grid_threshold(scores, same)
    squared_l2 = 2 * (1 - scores.astype(np.float64))
    steps = np.arange(0, 4, 0.01)
    right = [((squared_l2 < step) == same).sum() for step in steps]
    assert 2 * (1 - chosen) == pytest.approx(steps[int(np.argmax(right))], abs=1e-12)
    assert int(((scores.astype(np.float64) >= chosen) == same).sum()) == max(right)
    mean, _ = ten_fold(scores, same, choose=facenet_grid_threshold).accuracy
    assert mean == pytest.approx(ten_fold(scores, same).accuracy[0], abs=0.01)


@pytest.mark.parametrize("n_folds", [1, 7])
def test_folds_of_one_size(n_folds: int) -> None:
    scores, same = view2_like()
    with pytest.raises(UsageError, match=f"600 pairs do not make {n_folds} folds"):
        ten_fold(scores, same, n_folds=n_folds)
