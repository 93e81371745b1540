"""What benchmark_model prints, by version and by what became of the delegate."""

from __future__ import annotations

OLD_CPU = """\
STARTING!
Log parameter values verbosely: [0]
Graph: [facenet512_int8.tflite]
#threads used for CPU inference: [4]
Loaded model facenet512_int8.tflite
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
The input model file size (MB): 24.6012
Initialized session in 17.187ms.
Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if exceeding \
150 seconds.
count=1 curr=3512391

Running benchmark for at least 50 iterations and at least 1 seconds but terminate if exceeding \
150 seconds.
count=50 first=2951000 curr=2950100 min=2949000 max=2960000 avg=2.95034e+06 std=1520

Inference timings in us: Init: 17187, First inference: 3512391, Warmup (avg): 3.51239e+06, \
Inference (avg): 2.95034e+06
Note: as the benchmark tool itself affects memory footprint, the following is only APPROXIMATE \
to the actual memory footprint of the model at runtime. Take the information at your discretion.
Peak memory footprint (MB): init=2.44141 overall=34.5508
"""

NEW_NPU = """\
INFO: STARTING!
INFO: Log parameter values verbosely: [0]
INFO: Graph: [facenet512_int8_vela.tflite]
INFO: Num threads: [2]
INFO: External delegate path: [/usr/lib/libethosu_delegate.so]
INFO: Loaded model facenet512_int8_vela.tflite
INFO: Ethosu delegate: device_name set to /dev/ethosu0.
INFO: EthosuDelegate: 1 nodes delegated out of 2 nodes with 1 partitions.
INFO: Explicitly applied EXTERNAL delegate, and the model graph will be partially executed by \
the delegate w/ 1 delegate kernels.
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
VERBOSE: Replacing 1 out of 2 node(s) with delegate (TfLiteXNNPackDelegate) node, yielding 2 \
partitions for the whole graph.
INFO: The input model file size (MB): 23.86
INFO: Initialized session in 8.2ms.
INFO: Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if \
exceeding 150 seconds.
INFO: count=45 first=11960 curr=10320 min=10290 max=11960 avg=10355.1 std=240 p5=10295 \
median=10310 p95=10610

INFO: Running benchmark for at least 50 iterations and at least 1 seconds but terminate if \
exceeding 150 seconds.
INFO: count=97 first=10330 curr=10301 min=10288 max=10641 avg=1.03174e+04 std=44 p5=10294 \
median=10308 p95=10402

INFO: Inference timings in us: Init: 8200, First inference: 11960, Warmup (avg): 10355.1, \
Inference (avg): 1.03174e+04
INFO: Memory footprint delta from the start of the tool (MB): init=26.1 overall=27.25
INFO: Overall peak memory footprint (MB) via periodic monitoring: 51.5
"""

VX_WHOLLY = """\
STARTING!
Graph: [facenet512_int8.tflite]
External delegate path: [/usr/lib/libvx_delegate.so]
Loaded model facenet512_int8.tflite
INFO: Vx delegate: allowed_cache_mode set to 0.
EXTERNAL delegate created.
Explicitly applied EXTERNAL delegate, and the model graph will be completely executed by the \
delegate.
count=1 curr=9843212
count=99 first=10020 curr=10011 min=9980 max=10300 avg=10021.5 std=33
Inference timings in us: Init: 250000, First inference: 9843212, Warmup (avg): 9.84321e+06, \
Inference (avg): 10021.5
Memory footprint delta from the start of the tool (MB): init=8.1 overall=80.3
"""

REFUSED = """\
STARTING!
Graph: [facenet512_float32.tflite]
External delegate path: [/usr/lib/libethosu_delegate.so]
Loaded model facenet512_float32.tflite
EXTERNAL delegate created.
INFO: EthosuDelegate: 0 nodes delegated out of 181 nodes with 0 partitions.
Though EXTERNAL delegate is explicitly applied, the model graph will not be executed by the \
delegate.
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
count=4 first=121000 curr=120500 min=120400 max=121000 avg=120600 std=230
count=50 first=120600 curr=120611 min=120100 max=121900 avg=120633 std=301
Inference timings in us: Init: 30100, First inference: 121000, Warmup (avg): 120600, \
Inference (avg): 120633
"""

NOT_APPLIED = """\
STARTING!
Graph: [net.tflite]
External delegate path: [/usr/lib/libvx_delegate.so]
Loaded model net.tflite
ERROR: Failed to apply EXTERNAL delegate.
count=50 first=322000 curr=322100 min=321000 max=323000 avg=322050 std=300
"""

SILENT = """\
INFO: STARTING!
INFO: Graph: [net.tflite]
INFO: External delegate path: [/usr/lib/libneutron_delegate.so]
INFO: count=50 first=322000 curr=322100 min=321000 max=323000 avg=322050 std=300
"""
