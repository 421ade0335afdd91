"""Which device and number format a run uses."""

from __future__ import annotations

from typing import Literal

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from speechkd.errors import ResourceError
from speechkd.training.options import TrainOptions


def resolve_device(wanted: Literal["auto", "cpu", "cuda"]) -> str:
    """cpu or cuda; ResourceError when cuda is asked for and absent."""
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ResourceError("no CUDA device is available", where="train.device", todo="Use --set train.device=auto")
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return wanted


def resolve_precision(wanted: Literal["auto", "fp32", "bf16"], device: str) -> Literal["fp32", "bf16"]:
    """bf16 only where it is native: elsewhere it is emulated and slower than fp32."""
    if wanted != "auto":
        return wanted
    native = torch.cuda.is_bf16_supported() if device == "cuda" else cpu_has_bf16()
    return "bf16" if native else "fp32"


def cpu_has_bf16() -> bool:
    """Whether the processor multiplies bfloat16 natively (AVX512-BF16 or AMX)."""
    probes = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(probe is not None and probe() for probe in probes)


def device_name(device: str) -> str:
    """A person's name for the device, for results tables."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"CPU, {torch.get_num_threads()} thread{'s' if torch.get_num_threads() > 1 else ''}"


def make_accelerator(options: TrainOptions) -> Accelerator:
    """The engine for these options; sets torch's thread count."""
    if options.threads:
        torch.set_num_threads(options.threads)
    device = resolve_device(options.device)
    precision = resolve_precision(options.precision, device)
    # The state is shared by all accelerators of a process; a second run may want another precision.
    AcceleratorState._reset_state(reset_partial_state=True)
    return Accelerator(cpu=device == "cpu", mixed_precision="bf16" if precision == "bf16" else "no")
