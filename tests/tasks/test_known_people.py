"""enroll, identify, gallery and cluster called from Python, with the real model."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from facekit.enums import ClusterMethod, FacePolicy, PersonRule, VectorType
from facekit.errors import ModelMismatchError, StorageError, UsageError
from facekit.gallery.identify import OpenSetChoice
from facekit.reporter import Item, Reporter
from facekit.tasks import gallery
from facekit.tasks.cluster import cluster
from facekit.tasks.enroll import Enrolment, enroll
from facekit.tasks.gallery import GalleryLocation, secret_source
from facekit.tasks.identify import Identified, IdentifiedFace, IdentifiedPhoto, identify
from facekit.tasks.open_pipeline import CropChange, PipelineRequest
from facekit.template.threshold import ThresholdChoice
from tests.group_photo import write_group

EVERY_FACE = PipelineRequest(face=FacePolicy.ALL)


class Told(Reporter):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.labels: list[str] = []

    def note(self, line: str) -> None:
        self.notes.append(line)

    def steps(self, items: Iterable[Item], *, length: int, label: str) -> Iterator[Item]:
        self.labels.append(f"{label} {length}")
        return iter(items)


@pytest.fixture
def location(tmp_path: Path) -> GalleryLocation:
    return GalleryLocation(str(tmp_path / "people.db"))


@pytest.fixture
def photo(data: Path) -> dict[str, str]:
    return {name: str(data / f"{name}.jpg") for name in ("obama", "obama2", "biden")}


@pytest.fixture
def group(data: Path, tmp_path: Path) -> str:
    """Biden and Obama side by side."""
    return str(write_group(tmp_path / "group.png", data / "biden.jpg", data / "obama2.jpg"))


@pytest.fixture
def bad(tmp_path: Path) -> str:
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff bad")
    return str(tmp_path / "bad.jpg")


@pytest.mark.model
class TestEnrollAndIdentify:
    @pytest.fixture(autouse=True)
    def _enrolled(self, location: GalleryLocation, photo: dict[str, str]) -> None:
        enroll("Obama", [photo["obama"]], location=location)
        enroll("Biden", [photo["biden"]], location=location)

    def test_every_face_of_a_group_has_its_own_answer(
        self, location: GalleryLocation, group: str
    ) -> None:
        result = identify([group], location=location, request=EVERY_FACE)
        (found,) = result.photos
        assert isinstance(found, IdentifiedPhoto)
        faces = [face for face in found.faces if face.face is not None]
        assert len(faces) == len(found.faces) == 2
        left_to_right = sorted(faces, key=lambda face: face.face.box_xyxy[0])  # type: ignore[union-attr]  # filtered above
        assert [face.name for face in left_to_right] == ["Biden", "Obama"]
        assert result.all_known
        assert result.failures == ()

    def test_a_photo_is_told_of_as_soon_as_it_is_done(
        self, location: GalleryLocation, photo: dict[str, str], bad: str
    ) -> None:
        told: list[IdentifiedPhoto] = []
        reporter = Told()
        result = identify(
            [photo["obama2"], bad], location=location, on_photo=told.append, reporter=reporter
        )
        assert tuple(told) == result.photos
        assert [one.name for one in told] == [photo["obama2"]]
        assert [one.name for one in result.failures] == [bad]
        assert len(reporter.notes) == 1
        assert reporter.labels == ["identifying 2"]
        assert result.all_known  # of the photos that could be used

    def test_the_mean_rule_compares_people_and_the_best_rule_templates(
        self, location: GalleryLocation, photo: dict[str, str]
    ) -> None:
        enroll("Obama", [photo["obama2"]], location=location)

        def comparisons(rule: PersonRule) -> int:
            result = identify([photo["obama2"]], location=location, by=rule)
            return result.threshold.comparison_count

        assert (comparisons(PersonRule.BEST), comparisons(PersonRule.MEAN)) == (3, 2)

    def test_a_strict_threshold_leaves_a_face_unknown_with_its_candidates(
        self, location: GalleryLocation, photo: dict[str, str]
    ) -> None:
        strict = OpenSetChoice(ThresholdChoice(0.01))
        result = identify([photo["obama2"]], location=location, threshold=strict, top=1)
        (face,) = self.faces(result)
        assert (face.name, face.answer.candidates[0].name) == (None, "Obama")
        assert not result.all_known
        told = result.to_dict()
        assert told["threshold"] == pytest.approx(0.01)
        (candidate,) = told["photos"][0]["faces"][0]["candidates"]
        assert candidate["distance"] == pytest.approx(1 - candidate["similarity"])

    @staticmethod
    def faces(result: Identified) -> tuple[IdentifiedFace, ...]:
        (photo,) = result.photos
        assert isinstance(photo, IdentifiedPhoto)
        return photo.faces

    def test_another_crop_rule_is_refused(
        self, location: GalleryLocation, photo: dict[str, str]
    ) -> None:
        request = PipelineRequest(crop=CropChange(margin_px=10.0))
        with pytest.raises(ModelMismatchError, match="cannot be compared"):
            identify(
                [photo["obama2"]],
                location=location,
                request=request,
                threshold=OpenSetChoice(ThresholdChoice(0.5)),
            )

    def test_two_faces_on_a_photo_are_a_failure_and_the_other_photos_count(
        self, location: GalleryLocation, photo: dict[str, str], group: str, bad: str
    ) -> None:
        told: list[Enrolment] = []
        result = enroll(
            "Both",
            [group, bad, photo["obama2"]],
            location=location,
            request=EVERY_FACE,
            on_person=told.append,
        )
        (person,) = result.people
        assert told == [replace(person, lookalikes=())]
        assert [pair.name for pair in person.lookalikes] == ["Both"]  # the other is Obama
        assert (person.added_count, person.already_enrolled_count) == (1, 0)
        errors = [type(failure.error).__name__ for failure in result.failures]
        assert errors == ["AmbiguousFaceError", "ImageError"]
        assert [failure["photo"] for failure in person.to_dict()["failed"]] == [group, bad]

    def test_photos_that_are_there_already_are_not_embedded_again(
        self, location: GalleryLocation, photo: dict[str, str], tmp_path: Path
    ) -> None:
        for name in ("Obama", "Zoe"):
            (tmp_path / "people" / name).mkdir(parents=True)
            shutil.copy(photo["obama"], tmp_path / "people" / name)
        reporter = Told()
        result = enroll(data=tmp_path / "people", location=location, reporter=reporter)
        assert [
            (one.name, one.added_count, one.already_enrolled_count) for one in result.people
        ] == [
            ("Obama", 0, 1),
            ("Zoe", 1, 0),
        ]
        assert reporter.labels == ["enrolling 2"]
        (zoe,) = result.people[1].lookalikes
        assert (zoe.name, zoe.other) == ("Obama", "Zoe")
        assert zoe.similarity == pytest.approx(1, abs=1e-4)
        assert result.people[0].lookalikes == ()
        (told,) = reporter.notes
        assert told.startswith("are Obama and Zoe one person?")
        assert told.endswith("facekit gallery merge Obama Zoe")
        assert gallery.check(location).lookalikes == (zoe,)
        gallery.merge(location, "Obama", "Zoe")
        assert gallery.check(location).lookalikes == ()

    def test_somebody_else_is_no_lookalike(
        self, location: GalleryLocation, photo: dict[str, str]
    ) -> None:
        gallery.remove(location, "Biden")
        reporter = Told()
        result = enroll("Joe", [photo["biden"]], location=location, reporter=reporter)
        assert (result.people[0].lookalikes, reporter.notes) == ((), [])

    def test_two_names_of_one_person_are_merged_and_parted(
        self, location: GalleryLocation, photo: dict[str, str]
    ) -> None:
        enroll("Barack", [photo["obama2"], photo["obama"]], location=location)
        merged = gallery.merge(location, "Obama", "Barack")
        assert merged.to_dict() == {
            "name": "Obama",
            "other": "Barack",
            "found": True,
            "absent": [],
            "moved_count": 1,
            "shared_photo_count": 1,
        }
        shown = gallery.show(location, "Obama")
        assert [record["merged_from"] for record in shown.to_dict()["templates"]] == [
            None,
            "Barack",
        ]
        assert [one["name"] for one in shown.to_dict()["merged"]] == ["Barack"]
        (face,) = self.faces(identify([photo["obama2"]], location=location))
        assert (face.name, face.answer.candidates[0].template_count) == ("Obama", 2)
        parted = gallery.unmerge(location, "Obama", "Barack")
        assert parted.merge == merged.merge
        names = {one.name: one.template_count for one in gallery.people(location).people}
        assert names == {"Barack": 2, "Biden": 1, "Obama": 1}

    def test_an_export_tells_that_it_knows_of_no_merge(
        self, location: GalleryLocation, tmp_path: Path
    ) -> None:
        gallery.merge(location, "Obama", "Biden")
        reporter = Told()
        file = tmp_path / "people.jsonl"
        assert gallery.export(location, file, reporter=reporter).template_count == 2
        assert any("cannot be undone" in line for line in reporter.notes)
        other = GalleryLocation(str(tmp_path / "copy.db"))
        assert gallery.import_file(other, file).added_count == 2
        assert gallery.check(other).faults == ()


class TestEnrollName:
    """A first word that names a photo is a name forgotten; nothing is loaded or made."""

    @pytest.mark.parametrize("name", ["obama.jpg", "nowhere/Obama.PNG"])
    def test_a_pictures_suffix(self, location: GalleryLocation, name: str) -> None:
        with pytest.raises(UsageError, match=r"NAME comes first: facekit enroll NAME .* x\.jpg"):
            enroll(name, ["x.jpg"], location=location)
        with pytest.raises(StorageError):
            gallery.stats(location)

    def test_a_file_that_is_there(self, location: GalleryLocation, tmp_path: Path) -> None:
        file = tmp_path / "a photo"
        file.touch()
        with pytest.raises(UsageError, match=f"facekit enroll NAME '{file}'"):
            enroll(str(file), location=location)

    def test_a_folder_may_be_called_as_its_person(
        self, location: GalleryLocation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "Ada").mkdir()
        with pytest.raises(UsageError, match="No photo of Ada"):
            enroll("Ada", [], location=location)


class TestGallery:
    def test_what_is_asked_of_nobody_changes_nothing(self, location: GalleryLocation) -> None:
        gallery.init(location, vector_type=VectorType.FLOAT16)
        assert gallery.show(location, "Eve").person is None
        assert gallery.remove(location, "Eve").removed_count == 0
        assert not gallery.rename(location, "Eve", "Ada").found
        assert gallery.merge(location, "Ada", "Eve").absent == ("Ada", "Eve")
        assert gallery.unmerge(location, "Ada", "Eve").absent == ("Ada",)
        assert gallery.stats(location).to_dict()["vector_type"] == "float16"
        assert gallery.people(location).to_dict() == {"people": []}

    def test_a_secret_is_asked_for_where_it_is_needed_and_only_there(
        self, location: GalleryLocation, tmp_path: Path
    ) -> None:
        asked = []

        def passphrase() -> str:
            asked.append(True)
            return "a secret"

        locked = GalleryLocation(location.url, secret_source(passphrase=passphrase))
        assert gallery.init(locked, encrypt=True).info.encrypted
        assert len(asked) == 1
        plain = GalleryLocation(str(tmp_path / "plain.db"), locked.secret)
        gallery.init(plain)
        gallery.stats(plain)
        assert len(asked) == 1
        with pytest.raises((UsageError, StorageError)):
            gallery.stats(location)
        with pytest.raises(UsageError, match="--decrypt"):
            gallery.export(locked, tmp_path / "people.jsonl")
        key = tmp_path / "new.key"
        key.write_bytes(bytes(range(32)))
        gallery.rekey(locked, new_secret=secret_source(key))
        assert gallery.check(GalleryLocation(location.url, secret_source(key))).faults == ()

    def test_an_encrypted_gallery_is_not_made_without_a_secret(
        self, location: GalleryLocation
    ) -> None:
        with pytest.raises(UsageError, match="key file or a passphrase"):
            gallery.init(location, encrypt=True)

    def test_an_open_gallery_can_be_used_by_itself(self, location: GalleryLocation) -> None:
        with closing(gallery.open_gallery(location, create=True)) as opened:
            assert opened.people() == []


@pytest.mark.model
class TestCluster:
    def test_the_faces_of_a_group_go_to_the_people_they_are_of(
        self, photo: dict[str, str], group: str, tmp_path: Path
    ) -> None:
        result = cluster(
            [photo["obama"], photo["biden"], group],
            request=EVERY_FACE,
            copy_to=tmp_path / "sorted",
            sheets=tmp_path / "sheets",
        )
        of_group = sorted(
            (face for face in result.faces if face.photo == group),
            key=lambda face: face.box_xyxy or (0.0,) * 4,
        )
        assert len(of_group) == 2
        biden, obama = (face.group for face in of_group)
        alone = {face.photo: face.group for face in result.faces if face.photo != group}
        assert alone == {photo["obama"]: obama, photo["biden"]: biden}
        assert biden != obama
        for number in (biden, obama):
            assert (tmp_path / "sorted" / str(number) / "group.png").exists()
        assert (tmp_path / "sheets" / "overview.jpg").exists()
        assert result.to_dict()["group_count"] == 2

    def test_hdbscan_has_no_threshold(self, photo: dict[str, str], bad: str) -> None:
        files = [photo["obama"], photo["obama2"], photo["biden"], bad]
        result = cluster(files, method=ClusterMethod.HDBSCAN)
        assert result.to_dict()["threshold"] is result.threshold is None
        assert [failure.name for failure in result.failures] == [bad]
        assert [face.face for face in result.faces] == [0, 0, 0]

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"method": ClusterMethod.HDBSCAN, "threshold": ThresholdChoice(0.5)}, "no threshold"),
            ({"sheets": Path("sheets")}, "only one reading"),
        ],
    )
    def test_what_cannot_be_meant(self, change: dict[str, object], message: str) -> None:
        with pytest.raises(UsageError, match=message):
            cluster(["-"], **change)  # type: ignore[arg-type]
