"""Two engines behind one interface: ONNX Runtime on the CPU; torch on CUDA and MPS. Each imports its library when it
starts, so that a machine without a GPU never pays for torch (six times the start-up, three times the memory).

An engine runs one network: `run(batch)` takes float32 (N, channels, size, size) and gives float32 arrays by name.
The names do not depend on the engine: `logits` always; `evidence` and `landmarks` from lucency-net; `features` and
`channel_weights` from the published architectures; `centers` and `sizes` from a locator.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from inference.model_bundle import (
    LOCATOR_ONNX_FILE,
    LOCATOR_WEIGHTS_FILE,
    ONNX_FILE,
    WEIGHTS_FILE,
    BundleError,
    ModelBundle,
)
from inference.prediction import Engine, InferenceError

if TYPE_CHECKING:
    import torch

FloatArray = npt.NDArray[np.float32]
DEVICES = ("auto", "cpu", "cuda", "mps")
Part = Literal["model", "locator"]
_FILES: dict[Part, tuple[str, str]] = {
    "model": (ONNX_FILE, WEIGHTS_FILE),
    "locator": (LOCATOR_ONNX_FILE, LOCATOR_WEIGHTS_FILE),
}


class DeviceError(InferenceError):
    """The device that was asked for is not there."""


class InferenceEngine(Protocol):
    """What computes: `kind` is recorded with every prediction, `label` is shown."""

    kind: Engine
    label: str

    def run(self, batch: FloatArray) -> dict[str, FloatArray]: ...


def open_engine(
    bundle: ModelBundle, device: str = "auto", part: Part = "model", cpu_threads: int | None = None
) -> InferenceEngine:
    """The engine for one network of a bundle, ready to run. DeviceError or BundleError when that cannot be."""
    onnx_file, weights_file = _FILES[part]
    kind = choose_device(device)
    # What was not asked for may not stand in the way: without torch weights the CPU serves, and the reverse.
    if kind is not Engine.CPU and not bundle.has(weights_file) and device == "auto":
        kind = Engine.CPU
    if kind is Engine.CPU:
        return OnnxEngine(bundle.file(onnx_file), cpu_threads)
    from inference.networks import load_network

    return TorchEngine(load_network(bundle, part), kind)


def choose_device(requested: str = "auto") -> Engine:
    """CUDA, then MPS, where torch is installed and has such a device; else the CPU, without importing torch."""
    if requested not in DEVICES:
        raise DeviceError(f"“{requested}” is no device: choose one of {', '.join(DEVICES)}.")
    if requested in ("auto", "cuda") and _cuda_driver_has_device() and _torch_has(Engine.CUDA):
        return Engine.CUDA
    if requested in ("auto", "mps") and _is_apple_silicon() and _torch_has(Engine.MPS):
        return Engine.MPS
    if requested in ("auto", "cpu"):
        return Engine.CPU
    name = "CUDA" if requested == "cuda" else "MPS (Apple silicon)"
    if importlib.util.find_spec("torch") is None:
        raise DeviceError(f"{name} needs PyTorch, which is not part of this installation: choose the CPU, or auto.")
    raise DeviceError(f"No {name} device was found on this computer: choose the CPU, or auto.")


def _cuda_driver_has_device() -> bool:
    """Ask NVIDIA's driver library itself; where there is none, torch need not be imported to know."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        count = ctypes.c_int(0)
        return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0
    except (OSError, AttributeError):
        return False


def _is_apple_silicon() -> bool:
    return sys.platform == "darwin" and platform.machine() == "arm64"


def _torch_has(kind: Engine) -> bool:
    if importlib.util.find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available() if kind is Engine.CUDA else torch.backends.mps.is_available()


def physical_cores() -> int:
    """Physical cores that this process may use: a thread on each is fastest, more only contend."""
    import psutil

    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    return max(1, min(cores, allowed))


class OnnxEngine:
    """ONNX Runtime on the CPU. `inference` switches its telemetry off before it is imported."""

    kind = Engine.CPU

    def __init__(self, path: Path, threads: int | None = None) -> None:
        import onnxruntime

        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or physical_cores()
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors only
        # Between runs its threads would wait for work in a loop for some 30 ms, on the cores that the next step needs.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        try:
            self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions share no base class but this
            raise BundleError(f"ONNX Runtime cannot load {path.name} of this model.", str(error)) from error
        self._input = self._session.get_inputs()[0].name
        self._outputs = [output.name for output in self._session.get_outputs()]
        self.label = f"ONNX Runtime {onnxruntime.__version__} on the CPU"

    def run(self, batch: FloatArray) -> dict[str, FloatArray]:
        return dict(zip(self._outputs, self._session.run(None, {self._input: batch}), strict=True))


class TorchEngine:
    """torch on a device. `network(batch)` is one of inference.networks: a mapping of named outputs."""

    def __init__(self, network: torch.nn.Module, kind: Engine) -> None:
        import torch

        self._device = torch.device(kind.value)
        # TF32 keeps ten bits of the mantissa: too few for the engines to agree within 1e-3.
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
        self.kind = kind
        where = torch.cuda.get_device_name() if kind is Engine.CUDA else {"mps": "Apple GPU"}.get(kind.value, "the CPU")
        self.label = f"PyTorch {torch.__version__} on {where}"
        self._network = network.float().eval().to(self._device)

    def run(self, batch: FloatArray) -> dict[str, FloatArray]:
        import torch

        with torch.inference_mode():
            outputs = self._network(torch.from_numpy(batch).to(self._device))
            return {name: value.float().cpu().numpy() for name, value in outputs.items()}
