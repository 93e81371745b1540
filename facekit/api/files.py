"""Model files from Python: converted, quantized, compiled, exported, looked at, timed, trained.

These are the tasks of the commands of the same name; where one wants a member of an enum, its word
will do.  A model that is missing is fetched and built first, as by the command.
"""

from __future__ import annotations

from facekit.api.arguments import by_words
from facekit.tasks import align_dataset as align_task
from facekit.tasks import benchmark as benchmark_task
from facekit.tasks import bundle as bundle_task
from facekit.tasks import compile as compile_task
from facekit.tasks import config as config_task
from facekit.tasks import convert as convert_task
from facekit.tasks import data as data_task
from facekit.tasks import doctor as doctor_task
from facekit.tasks import export as export_task
from facekit.tasks import inspect as inspect_task
from facekit.tasks import quantize as quantize_task
from facekit.tasks import selftest as selftest_task
from facekit.tasks import train as train_task

align_dataset = by_words(align_task.align_dataset)
benchmark = by_words(benchmark_task.benchmark)
bundle = by_words(bundle_task.bundle)
compile_model = by_words(compile_task.compile_model)
conversion_plan = convert_task.conversion_plan
convert = by_words(convert_task.convert)
doctor = by_words(doctor_task.examine)
export = by_words(export_task.export)
fetch_lfw = by_words(data_task.fetch)
inspect_model = by_words(inspect_task.inspect)
list_configs = config_task.list_configs
quantize = by_words(quantize_task.quantize)
selftest = by_words(selftest_task.selftest)
show_config = by_words(config_task.show_config)
train = by_words(train_task.train)
