"""Published networks as their users export them: torch, ONNX Runtime's quantiser, then Tenon, unmodified.

``python -m tenon.flows.bench.torch_exports -o FOLDER [NAME ...]`` exports and quantises (this needs the extra ``torch``), compiles
for edge16, runs the functional simulator, and says for each network what was compared.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import numpy as np

__all__ = ["NETWORKS", "export"]

_VISION = ("resnet18", "resnet50", "mobilenet_v2", "mobilenet_v3_small", "squeezenet1_1", "googlenet", "densenet121",
           "shufflenet_v2_x1_0", "efficientnet_b0")
NETWORKS = (*_VISION, "bert_encoder", "vit_block")
_SAMPLES = 4  # of calibration
_SEED = 1


def _module(name: str):
    """The torch module with seeded weights and batch norms that have seen the inputs, and the shape of its input."""
    import torch
    import torchvision

    torch.manual_seed(_SEED)
    if name in _VISION:
        options = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
        module, shape = getattr(torchvision.models, name)(weights=None, **options), (1, 3, 224, 224)
    else:
        tokens, wide = {"bert_encoder": (128, 768), "vit_block": (197, 768)}[name]
        module = torch.nn.TransformerEncoderLayer(wide, 12, 4 * wide, activation="gelu", batch_first=True, norm_first=name == "vit_block")
        shape = (1, tokens, wide)
    module.train()
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.momentum = None  # the average over all that it sees
        for _ in range(2):
            module(torch.randn(4, *shape[1:]))
    return module.eval(), shape


def export(name: str, folder: Path, kind: str = "uint8", *, dynamo: bool = True) -> Path:
    """The quantised model of a network, as ``FOLDER/NAME_KIND.onnx``."""
    import torch
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    module, shape = _module(name)
    folder.mkdir(parents=True, exist_ok=True)
    source, prepared, result = (folder / f"{name}{end}.onnx" for end in ("_float", "_prepared", f"_{kind}"))
    torch.onnx.export(module, (torch.randn(shape),), source, dynamo=dynamo, external_data=False, input_names=["x"])
    quant_pre_process(source, prepared)
    rng = np.random.default_rng(_SEED)

    class Samples(CalibrationDataReader):
        def __init__(self):
            self.rest: Iterator = iter([{"x": rng.standard_normal(shape).astype(np.float32)} for _ in range(_SAMPLES)])

        def get_next(self):
            return next(self.rest, None)

    quantize_static(prepared, result, Samples(), quant_format=QuantFormat.QDQ, per_channel=True, weight_type=QuantType.QInt8,
                    activation_type=QuantType.QUInt8 if kind == "uint8" else QuantType.QInt8)
    for path in (source, prepared):
        path.unlink()
    return result


def measure(path: Path, say: Callable[[str], None]) -> bool:
    """Compiles a model for edge16 and compares the functional simulator with the reference; whether all is as its class says."""
    from tenon.compiler.errors import CompileError
    from tenon.flows.execution import Simulator
    from tenon.flows.run import prepare, run
    from tenon.hw.config import load_config

    began = time.process_time()
    try:
        job = prepare(str(path), load_config("edge16"), runs=1)
    except CompileError as error:
        say(f"{path.stem}: refused: {error}")
        return False
    compiled = time.process_time()
    report, _ = run(job, Simulator.FUNCTIONAL)
    c = report.comparison
    say(f"{path.stem}: compiled in {compiled - began:.1f} CPU s, {len(job.compiled.program.instructions)} instructions; "
        f"exact {c.exact.mismatches} of {c.exact.elements} differ, one step {c.step.mismatches} of {c.step.elements} "
        f"(by {c.step.max_abs_diff}), after {c.after.mismatches} of {c.after.elements} (by {c.after.max_abs_diff})"
        + ("" if c.passed else f"; FAILED: {c.first_difference}"))
    return c.passed


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(NETWORKS))
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("build/torch"), show_default=True)
@click.option("--kind", type=click.Choice(("uint8", "int8")), default="uint8", show_default=True)
@click.option("--export-only", is_flag=True)
def main(names: tuple[str, ...], output: Path, kind: str, export_only: bool) -> None:
    """Exports and quantises NAMES (all, if none), and compiles and runs what is there."""
    warnings.filterwarnings("ignore")
    passed = True
    for name in names or NETWORKS:
        path = output / f"{name}_{kind}.onnx"
        if not path.exists():
            export(name, output, kind)
        if not export_only:
            passed = measure(path, click.echo) and passed
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
