"""What a test report states of its procedure and its run, after ISO/IEC 19795-1."""

from __future__ import annotations

from facekit.evaluation.protocols.plan import ThresholdOrigin
from facekit.evaluation.records import DataSetReport, EvaluationReport
from facekit.evaluation.report.table import section, text

_CHOSEN = {
    ThresholdOrigin.OTHER_FOLDS: "for each fold on the other folds",
    ThresholdOrigin.CARD: "by the model's card",
    ThresholdOrigin.FIXED: "by the protocol: a fixed one",
    ThresholdOrigin.SAME_PAIRS: "on these very pairs",
}


def procedure_section(report: DataSetReport) -> str:
    """Returns who and what was compared how often, and where the thresholds were chosen."""
    first = report.models[0]
    n_genuine = sum(pair.same for pair in first.pairs)
    people = "not named" if report.person_count is None else f"{report.person_count:,}"
    published = report.list_published_as
    origin = f"LFW's {published}, as published" if published else "not one of LFW's published lists"
    chosen: dict[str, list[str]] = {}
    for model in report.models:
        how = _CHOSEN.get(model.threshold_origin, f"on {report.threshold_list_name}")
        chosen.setdefault(how, []).append(model.model.label)
    thresholds = "; ".join(
        how if len(chosen) == 1 else f"{', '.join(labels)}: {how}" for how, labels in chosen.items()
    )
    facts = (
        ("Kind", "technology evaluation: stored photos, compared one to one"),
        ("Photos", f"{report.dataset}: {first.photo_count:,}"),
        ("People", people),
        ("Pairs", f"{report.list_name} (MD5 {report.list_md5}), {origin}"),
        (
            "Attempts",
            f"{n_genuine:,} genuine and {len(first.pairs) - n_genuine:,} impostor ones, each the "
            "comparison of two photos: the first stands for the enrolled person, the second is "
            "the only presentation",
        ),
        ("Folds", f"{len(first.fold_accuracies):,}"),
        ("Thresholds", f"chosen {thresholds}"),
    )
    return section("How it was measured", _facts(facts))


def run_section(report: EvaluationReport) -> str:
    """Returns by what the report was made, and links to its other files."""
    versions = ", ".join(f"{name} {version}" for name, version in report.versions)
    files = ["report.json", *(pairs_file(number + 1) for number in range(len(report.data_sets)))]
    links = ", ".join(f'<a href="{name}">{name}</a>' for name in files)
    command = "none: made from Python"
    if report.command is not None:
        command = f'<code class="command">{text(report.command)}</code>'
    return section(
        "How to do it again",
        f"<dl><dt>Command</dt><dd>{command}</dd>\n<dt>Made</dt><dd>{text(report.created_utc)}</dd>\n"
        f"<dt>Versions</dt><dd>facekit {text(report.facekit_version)}, {text(versions)}</dd>\n"
        f"<dt>Files</dt><dd>{links}</dd></dl>\n",
    )


def pairs_file(number: int) -> str:
    """Returns the name of a data set's file of pairs, counted from 1; the first one's is plain."""
    return "pairs.csv" if number == 1 else f"pairs-{number}.csv"


def _facts(facts: tuple[tuple[str, str], ...]) -> str:
    items = "".join(f"<dt>{name}</dt><dd>{text(fact)}</dd>\n" for name, fact in facts)
    return f"<dl>{items}</dl>\n"
