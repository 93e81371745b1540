"""Vela's stdout and CSV files, in pieces as version 5.2 writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from facekit.conversion.vela.report import Bottleneck, read_estimate, read_report, short_name
from facekit.conversion.vela.run import VelaOutput
from facekit.errors import AcceleratorError

STDOUT = """
Warning (supported operators) operator: COS, ofm: 'net_1/cos_1/Cos;net_1/x'
Reason: Unsupported opType

Warning (supported operators) operator: QUANTIZE, ofm: 'q'
Reason: Operation has tensor with unsupported DataType Float32 (net_1/a/b;c:0)
Feature-map dataTypes must be one of {"INT8", "UINT8"}

Network summary for net
CPU operators = 3 (37.5%)
   CPU: Passthrough = net_1/cos_1/Cos;net_1/x (outputs [1, 10])
   CPU: Passthrough = q (outputs [1, 10])
   CPU: Passthrough = unexplained (outputs [1, 10])
NPU operators = 5 (62.5%)
   NPU: Conv2D = net_1/stem/Relu (outputs [1, 7, 7, 8])
"""

SUMMARY = {
    "accelerator_configuration": "Ethos_U65_256",
    "system_config": "imx93",
    "memory_mode": "Dedicated_Sram_384KB",
    "core_clock": "1000000000.0",
    "sram_bandwidth": "14.901161193847656",
    "dram_bandwidth": "4.656612873077393",
    "on_chip_flash_bandwidth": "14.9",
    "off_chip_flash_bandwidth": "14.9",
    "inference_time": "0.009466",
    "sram_memory_used": "384.0",
    "dram_memory_used": "10.5",
    "on_chip_flash_memory_used": "0.0",
    "off_chip_flash_memory_used": "2.0",
    "total_original_weights": "2000",
    "total_npu_encoded_weights": "1500",
    "sram_total_bytes": "30",
    "dram_total_bytes": "40",
    "on_chip_flash_total_bytes": "1",
    "off_chip_flash_total_bytes": "2",
    "nn_macs": "14552",
    "cycles_total": "9466000",
}

LAYERS = """\
Original Operator,Op Cycles,NPU,SRAM AC,DRAM AC,OnFlash AC,OffFlash AC,MAC Count,Name
Conv2D,900,300,100,900,0,0,5000,net_1/stem_1/Relu;net_1/stem_1/conv
Conv2D,0,0,0,0,0,0,0,net_1/stem_1/Relu;net_1/stem_1/conv
Add,75,75,20,0,0,0,0,net_1/sum/Add
FullyConnected,25,5,3,0,10,15,80,out
"""


def output(folder: Path, *, stdout: str = STDOUT, summary: dict[str, str] = SUMMARY) -> VelaOutput:
    paths = folder / "net_vela.tflite", folder / "summary.csv", folder / "layers.csv"
    paths[1].write_text(f"{','.join(summary)}\n{','.join(summary.values())}\n")
    paths[2].write_text(LAYERS)
    return VelaOutput(stdout, *paths)


def test_operators_left_on_the_cpu_and_why(tmp_path: Path) -> None:
    report = read_report(output(tmp_path))
    assert report.npu_operator_count == 5
    assert report.npu_share == 5 / 8
    assert [(left.operator, left.output, left.reason) for left in report.cpu_operators] == [
        ("COS", "cos_1", "Unsupported opType"),
        (
            "QUANTIZE",
            "q",
            "Operation has tensor with unsupported DataType Float32 Feature-map dataTypes must "
            'be one of {"INT8", "UINT8"}',
        ),
        ("operator", "unexplained", ""),
    ]


def test_velas_units_become_ours(tmp_path: Path) -> None:
    report = read_report(output(tmp_path))
    estimate = report.estimate
    assert estimate.time_ms == pytest.approx(9.466)
    assert estimate.dram_gb_per_s == pytest.approx(5.0)  # 4.6566 GiB/s
    assert estimate.sram_gb_per_s == pytest.approx(16.0)
    assert report.sram_used_bytes == 384 * 1024
    assert (report.dram_used_bytes, report.flash_used_bytes) == (10752, 2048)
    assert report.flash_traffic_bytes == 3
    assert read_estimate(output(tmp_path)) == estimate


def test_what_each_layer_waits_for(tmp_path: Path) -> None:
    report = read_report(output(tmp_path))
    assert [(layer.name, layer.bottleneck) for layer in report.layers] == [
        ("stem_1", Bottleneck.DRAM),
        ("sum", Bottleneck.MAC),
        ("out", Bottleneck.FLASH),
    ]
    assert report.slowest(2) == report.layers[:2]
    assert report.share_of_time == {
        Bottleneck.MAC: 0.075,
        Bottleneck.SRAM: 0.0,
        Bottleneck.DRAM: 0.9,
        Bottleneck.FLASH: 0.025,
    }


@pytest.mark.parametrize(
    ("stdout", "summary"),
    [
        ("nothing that is known", SUMMARY),
        (STDOUT.replace("operators = 3", "operators = 4"), SUMMARY),
        (STDOUT, {**SUMMARY, "nn_macs": "many"}),
        (STDOUT, {key: value for key, value in SUMMARY.items() if key != "inference_time"}),
    ],
)
def test_another_report_than_is_known(tmp_path: Path, stdout: str, summary: dict[str, str]) -> None:
    with pytest.raises(AcceleratorError, match="may write another one than facekit knows"):
        read_report(output(tmp_path, stdout=stdout, summary=summary))


def test_long_tensor_names_become_their_layers() -> None:
    assert short_name("model_1/Block8_6_Conv2d_1x1_1/BiasAdd;model_1/x") == "Block8_6_Conv2d_1x1_1"
    assert short_name("StatefulPartitionedCall_1:0") == "StatefulPartitionedCall_1:0"
