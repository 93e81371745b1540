"""facekit eval-lfw"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.config_option import config_option
from facekit.cli.data_options import evaluation_options
from facekit.cli.options import DEFAULT_MODEL, EnumChoice, json_option
from facekit.enums import Flip, Profile
from facekit.errors import UsageError

if TYPE_CHECKING:
    from facekit.evaluate.embeddings import PhotoEmbeddings
    from facekit.evaluate.photo_crop import EmbedSettings
    from facekit.model.store import InstalledModel

EXIT_BELOW = 1


@click.command("eval-lfw")
@config_option("eval-lfw")
@click.option(
    "--model",
    "models",
    multiple=True,
    default=(DEFAULT_MODEL,),
    show_default=True,
    help="Registry name, NAME:VARIANT, or a .tflite or .onnx file; give it again to compare "
    "models.",
)
@click.option(
    "--profile",
    type=EnumChoice(Profile),
    help="Evaluate as this system's authors do; sets --protocol and what else is not given.",
)
@click.option(
    "--flip",
    type=EnumChoice(Flip),
    help="What is done with the mirror image's embedding.  [default: what the profile's authors "
    "do, else what the model's card says]",
)
@click.option(
    "--subtract-mean",
    is_flag=True,
    help="Centre by the mean of the training pairs instead of the card's.",
)
@evaluation_options(default_protocol=None)
@click.option(
    "--all-pairs", is_flag=True, help="Also score every pair of the photos, for low FMRs."
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Only the first N pairs of each kind of every fold.",
)
@click.option(
    "--recompute", is_flag=True, help="Embed every photo again, so that times are measured."
)
@click.option(
    "--assert-accuracy",
    "least_accuracy",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="X",
    help="Exit with 1 where a result is below X (0..1), failures counted as errors.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for report.html, report.json, pairs.csv and the figures.",
)
@json_option
def eval_lfw(
    models: tuple[str, ...],
    profile: Profile | None,
    flip: Flip | None,
    subtract_mean: bool,
    data: Path | None,
    protocol: str | None,
    pairs_file: Path | None,
    workers: int | None,
    all_pairs: bool,
    limit: int | None,
    recompute: bool,
    least_accuracy: float | None,
    output: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Measure accuracy on Labeled Faces in the Wild or on pairs of your own.

    Without --protocol: devtest, 1,000 pairs, with the threshold that devtrain's 2,200 choose.

    \b
    Example: facekit eval-lfw --data lfw
             facekit eval-lfw --data lfw --model facenet512-casia --model my_int8.tflite -o report
             facekit eval-lfw --data lfw --profile facenet
             facekit eval-lfw --pairs mine.csv --data photos
             facekit eval-lfw --data lfw --config ixrt
    """
    from facekit.cli.data_options import embed_settings, embed_with_progress, worker_count
    from facekit.cli.ensure import ensure_installed
    from facekit.cli.render.output import note
    from facekit.evaluate.protocols.plan import open_plan
    from facekit.evaluate.run import (
        Column,
        Extent,
        below_accuracy,
        require_distinct,
        run_evaluation,
    )
    from facekit.evaluate.setups import DEFAULT_PROTOCOL, Wishes, setups_for
    from facekit.model.variants import for_runtime
    from facekit.system.extras import require

    if protocol is not None and pairs_file is not None:
        raise UsageError("--protocol and --pairs both name the pairs; pass one of them.")
    for module in ("sklearn.metrics", "scipy.stats"):
        require(module, extra="evaluate", needed_for="Evaluation")
    if output is not None:
        from facekit.evaluate.report.files import require_writable

        require_writable(output)
    plan = open_plan(
        data=data,
        protocol=protocol or DEFAULT_PROTOCOL[profile],
        pairs_file=pairs_file,
        limit=limit,
    )
    if plan.pair_list.complete and plan.pair_list.published_as is None and pairs_file is None:
        note(f"{plan.pair_list.name} is not LFW's published list (MD5 {plan.pair_list.md5})")
    installed = [ensure_installed(for_runtime(model, options["runtime"])) for model in models]
    require_distinct(installed)
    columns = [
        Column(model, setup)
        for model in installed
        for setup in setups_for(
            profile,
            model,
            Wishes(embed_settings(model.card, options), flip=flip, subtract_mean=subtract_mean),
        )
    ]
    n_workers = worker_count(workers)

    def embed(
        model: InstalledModel, settings: EmbedSettings, paths: Sequence[Path]
    ) -> PhotoEmbeddings:
        return embed_with_progress(paths, model, settings, workers=n_workers, recompute=recompute)

    report = run_evaluation(columns, plan, embed, Extent(all_pairs, n_workers))
    if output is not None:
        from facekit.evaluate.report.files import write_report

        write_report(output, report, columns, plan.folder)
    if as_json:
        from facekit.evaluate.records import report_json

        click.echo(report_json(report), nl=False)
    else:
        from facekit.cli.render.evaluation import report_text

        click.echo(report_text(report))
    if least_accuracy is not None and (below := below_accuracy(report, least_accuracy)):
        note(f"accuracy below {least_accuracy:g}: {', '.join(below)}")
        raise SystemExit(EXIT_BELOW)
