"""track called from Python, with the real model."""

from __future__ import annotations

from pathlib import Path

import pytest

from facekit.errors import InputError, UsageError
from facekit.gallery.identify import OpenSetChoice
from facekit.tasks.enroll import enroll
from facekit.tasks.gallery import GalleryLocation
from facekit.tasks.track import TrackedPerson, TrackEnd, track
from facekit.video.records import TrackOptions
from tests.video import clips

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def obama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of him standing still."""
    scene = clips.Scene((clips.Person("obama", clips.still(300)),), frames=25)
    return scene.write(tmp_path_factory.mktemp("clips") / "obama.avi")


@pytest.fixture
def no_gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACEKIT_GALLERY", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


@pytest.mark.usefixtures("no_gallery")
def test_people_come_first_and_how_it_ended_last(obama: Path) -> None:
    *people, end = track(str(obama), options=TrackOptions(key_every=3))
    (person,) = people
    assert isinstance(person, TrackedPerson)
    assert (person.named, person.track.frame_count) == (False, 25)
    told = person.to_dict()
    assert (told["video"], told["spans"], told["name"]) == (str(obama), [[0, 24]], None)
    assert len(repr(person)) < 1000  # no embedding in it
    assert end == TrackEnd(found=True, interrupted=False, damage=None, warning=None)


def test_a_gallery_names_whom_it_knows(obama: Path, data: Path, tmp_path: Path) -> None:
    location = GalleryLocation(str(tmp_path / "people.db"))
    enroll("Biden", [str(data / "biden.jpg")], location=location)
    *_, end = track(str(obama), location=location)
    assert isinstance(end, TrackEnd)
    assert not end.found
    enroll("Obama", [str(data / "obama2.jpg")], location=location)
    person, end = track(str(obama), location=location)
    assert isinstance(person, TrackedPerson)
    assert (person.named, person.track.identity.name) == (True, "Obama")
    assert isinstance(end, TrackEnd)
    assert end.found
    person, end = track(str(obama), location=location, threshold=OpenSetChoice(min_margin=2))
    assert isinstance(person, TrackedPerson)
    assert person.track.identity.name is None  # Biden is not so much less similar
    assert isinstance(end, TrackEnd)
    assert not end.found


@pytest.mark.usefixtures("no_gallery")
def test_who_asks_to_stop_gets_what_was_seen_so_far(obama: Path, tmp_path: Path) -> None:
    asked, output = [], tmp_path / "seen.avi"

    def should_stop() -> bool:
        asked.append(True)
        return len(asked) > 12

    person, end = track(str(obama), output=output, should_stop=should_stop)
    assert isinstance(person, TrackedPerson)
    assert person.track.frame_count == 12
    assert isinstance(end, TrackEnd)
    assert end.interrupted
    assert output.exists()


@pytest.mark.usefixtures("no_gallery")
def test_a_truncated_video_ends_with_its_damage(obama: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.avi"
    short.write_bytes(obama.read_bytes()[: obama.stat().st_size // 2])
    *_, end = track(str(short))
    assert isinstance(end, TrackEnd)
    assert isinstance(end.damage, InputError)
    assert "truncated or damaged" in str(end.damage)


def test_the_output_does_not_replace_the_video(obama: Path) -> None:
    with pytest.raises(UsageError, match="replace the video itself"):
        next(track(str(obama), output=obama))
