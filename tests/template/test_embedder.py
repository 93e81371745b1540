"""From crops to templates, with the mirror image where the card says so.

The net is the mean of the left and of the right half of the picture, so that a mirror image
swaps its two numbers: everything below can be worked out by hand.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from facekit.enums import Flip
from facekit.errors import ModelMismatchError
from facekit.evaluation.embeddings import EmbedSettings, PhotoEmbeddings
from facekit.evaluation.protocols.pairs import Pair, Photo
from facekit.evaluation.scoring import PairScorer
from facekit.evaluation.setups import SetupOptions, setups_for
from facekit.model.card import Card, embedder_of, space_of
from facekit.model.store import InstalledModel
from facekit.runtime.net import TensorSpec
from facekit.template.calibration import Calibration
from facekit.types import UInt8Array
from tests.model.made_up_model import CARD


class Halves:
    """(N, 4, 4, 3) -> (N, 2): the mean of the left half's input, and of the right half's."""

    inputs = (TensorSpec("image", (1, 4, 4, 3), "float32"),)
    outputs = (TensorSpec("halves", (1, 2), "float32"),)

    def run(self, batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        return (batch.reshape(len(batch), 4, 2, 6).mean((1, 3)),)


def crop_of(left: int, right: int) -> UInt8Array:
    """A crop of two gray halves, by their pixels' values."""
    crop = np.empty((1, 4, 4, 3), np.uint8)
    crop[:, :, :2], crop[:, :, 2:] = left, right
    return crop


CROP = crop_of(205, 231)
VIEW = np.array([77.5, 103.5]) / np.hypot(77.5, 103.5)


def with_flip(flip: Flip, mean: list[float] | None = None) -> Card:
    return replace(
        CARD,
        flip=flip,
        embedding_size=4 if flip is Flip.CONCAT else 2,
        calibration=Calibration(
            embedding_mean=None if mean is None else np.array(mean, np.float32)
        ),
    )


@pytest.mark.parametrize(
    ("flip", "expected"),
    [
        (Flip.NONE, VIEW),
        (Flip.CONCAT, np.concatenate([VIEW, VIEW[::-1]]) / 2**0.5),
        (Flip.SUM, np.array([1, 1]) / 2**0.5),
    ],
)
def test_a_template_is_what_the_card_says(flip: Flip, expected: NDArray[np.float64]) -> None:
    embedder = embedder_of(Halves(), with_flip(flip))
    np.testing.assert_allclose(embedder.embed(CROP), [expected], atol=1e-6)
    assert embedder.embed(CROP[:0]).shape == (0, len(expected))


def test_the_cards_mean_is_the_templates() -> None:
    mean = [0.5, 0.0, 0.0, 0.25]
    template = np.concatenate([VIEW, VIEW[::-1]]) / 2**0.5
    expected = (template - mean) / np.linalg.norm(template - mean)
    embedder = embedder_of(Halves(), with_flip(Flip.CONCAT, mean))
    np.testing.assert_allclose(embedder.embed(CROP), [expected], atol=1e-6)
    np.testing.assert_allclose(embedder.embed_uncentered(CROP), [template], atol=1e-6)


def test_each_crop_keeps_its_own_mirror_image() -> None:
    crops = np.concatenate([CROP, crop_of(12, 166), crop_of(140, 64)])
    views = embedder_of(Halves(), CARD).embed_views(crops, mirrored=True)
    assert views.shape == (3, 2, 2)
    np.testing.assert_allclose(views[:, 1], views[:, 0, ::-1], atol=1e-6)
    single = embedder_of(Halves(), CARD).embed_views(crops, mirrored=False)
    np.testing.assert_array_equal(single[:, 0], views[:, 0])


def test_a_card_whose_template_is_not_twice_the_nets_output_is_refused() -> None:
    with pytest.raises(ModelMismatchError, match=r"says input .* 1 outputs; the model has"):
        embedder_of(Halves(), replace(with_flip(Flip.CONCAT), embedding_size=2))


@pytest.mark.parametrize("flip", Flip)
@pytest.mark.parametrize("centered", [False, True])
def test_an_evaluation_scores_what_verify_compares(flip: Flip, centered: bool) -> None:
    """Its views come from a cache that knows no flip; the result is the card's template."""
    mean = [0.1, 0.2, 0.0, 0.3][: 4 if flip is Flip.CONCAT else 2]
    card = with_flip(flip, mean if centered else None)
    embedder = embedder_of(Halves(), card)
    (setup,) = setups_for(None, InstalledModel(card, Path("toy")), SetupOptions(EmbedSettings()))
    assert setup.cards_own
    crops = np.concatenate([CROP, crop_of(12, 166)])
    views = embedder.embed_views(crops, mirrored=setup.settings.mirrored)
    photos = [Photo("a.jpg", "a"), Photo("b.jpg", "b")]
    view_mean, template_mean = setup.card_means(card)
    scorer = PairScorer(
        photos,
        PhotoEmbeddings(views, ("", ""), 2),
        flip=setup.flip,
        mean=view_mean,
        template_mean=template_mean,
    )
    a, b = embedder.embed(crops)
    pairs = [Pair(photos[0], photos[1], False, 1)]
    assert scorer.scores(pairs) == pytest.approx([float(a @ b)], abs=1e-6)


def test_a_galleries_templates_say_how_they_were_mirrored() -> None:
    plain, summed = (space_of(with_flip(flip), detector=None) for flip in (Flip.NONE, Flip.SUM))
    with pytest.raises(ModelMismatchError, match="mirror image sum"):
        plain.require_same(summed, where="The gallery")


@pytest.mark.parametrize("answer", [0.0, np.nan, np.inf])
def test_an_answer_without_direction_is_told_of_the_network(answer: float) -> None:
    class Same(Halves):
        def run(self, batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
            return (np.full((len(batch), 2), answer, np.float32),)

    with pytest.raises(ModelMismatchError, match="embedding of zeros, or of values that are not"):
        embedder_of(Same(), with_flip(Flip.NONE)).embed(CROP)


def test_an_embedding_that_is_the_mean_itself_has_no_direction() -> None:
    (mean,) = embedder_of(Halves(), with_flip(Flip.NONE)).embed(CROP).tolist()
    embedder = embedder_of(Halves(), with_flip(Flip.NONE, mean))
    with pytest.raises(ModelMismatchError, match="embedding of zeros"):
        embedder.embed(CROP)


def test_crops_of_a_wrong_size_are_not_the_networks_fault() -> None:
    embedder = embedder_of(Halves(), with_flip(Flip.NONE))
    with pytest.raises(ValueError, match="Crops must be uint8 of shape"):
        embedder.embed(CROP[:, :2])
