"""The other end of ``edgetpu.py``: the nursery, and the worker that holds the delegate.

python -m scanner.hardware.edgetpu_worker SOCKET MEMORY LIBRARY RUNTIME MODEL [walled]
"""

import ctypes
import importlib
import json
import mmap
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from scanner import wall

RUNTIMES: Final = {
    "litert": "ai_edge_litert.interpreter",
    "tflite": "tflite_runtime.interpreter",
}
MEMORY_BYTES: Final = 4 * 1024 * 1024  # tile and outputs; pages that are not used cost nothing
ALIGN: Final = 64
GO, START, STOP = b"g", b"s", b"k"
COMMAND_BYTES: Final = 16  # START is followed by a number, which comes back with the worker

Details = dict[str, Any]  # of a tensor, as the interpreter tells them, and ``offset`` in the memory


def nurse(control: socket.socket, memory: int, library: str, runtime: str, model: Path) -> None:
    """Fork a worker whenever asked, until the detector goes; one at a time."""
    worker = 0
    try:
        while command := control.recv(COMMAND_BYTES):
            _end(worker)
            worker = 0
            if not command.startswith(START):
                continue
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            worker = os.fork()
            if worker == 0:
                ours.close()
                control.close()
                _work(theirs, memory, library, runtime, model)
            socket.send_fds(control, [command], [ours.fileno()])
            ours.close()
            theirs.close()
    except OSError:
        pass  # the detector has gone
    finally:
        _end(worker)


def _end(worker: int) -> None:
    """Kill a worker. One that hangs in the kernel ends later: nobody waits for it."""
    if worker:
        os.kill(worker, signal.SIGKILL)
    try:
        for _ in range(20):
            if not worker or os.waitpid(worker, os.WNOHANG)[0]:
                break
            time.sleep(0.005)
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _work(channel: socket.socket, memory: int, library: str, runtime: str, model: Path) -> None:
    """The worker: load all, tell the tensors, then infer whenever told to. Does not return."""
    code = 1
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)  # what the libraries say about themselves
        _serve(channel, memory, library, runtime, model)
        code = 0
    except (OSError, ValueError, RuntimeError, ImportError) as e:
        line = " ".join(str(e).split()) or type(e).__name__
        try:
            channel.send(json.dumps({"error": line[:200]}).encode())
        except OSError:
            code = 2  # nobody listens any more
    finally:
        os._exit(code)


def _serve(channel: socket.socket, memory: int, library: str, runtime: str, model: Path) -> None:
    import numpy as np  # noqa: PLC0415 - in the worker alone

    module = load_runtime(runtime)
    ctypes.CDLL(library)  # a delegate whose library is missing leaves a broken object
    delegate = module.load_delegate(library)
    network = module.Interpreter(model_path=str(model), experimental_delegates=[delegate])
    network.allocate_tensors()
    network.invoke()
    inputs, outputs = _laid_out(network.get_input_details(), network.get_output_details())
    shared = mmap.mmap(memory, MEMORY_BYTES)

    def view(tensor: Mapping[str, Any]) -> Any:
        count = int(np.prod(tensor["shape"]))
        flat = np.frombuffer(shared, tensor["dtype"], count, tensor["offset"])
        return flat.reshape(tensor["shape"])

    tiles = [(t["index"], view(t)) for t in inputs]
    results = [(t["index"], view(t)) for t in outputs]
    channel.send(json.dumps({"inputs": inputs, "outputs": outputs}).encode())
    while channel.recv(1):
        for index, pixels in tiles:
            network.set_tensor(index, pixels)
        network.invoke()
        for index, values in results:
            values[...] = network.get_tensor(index)
        channel.send(GO)


def load_runtime(wanted: str = "") -> Any:
    """The module of a runtime of RUNTIMES, or of the first that is installed; or ImportError."""
    for name in [RUNTIMES[wanted]] if wanted else RUNTIMES.values():
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    raise ImportError("no runtime for .tflite files" + (f" called {wanted}" if wanted else ""))


def _laid_out(*groups: list[Details]) -> list[list[Details]]:
    """Tensors as JSON, each with its place in the memory; raises ValueError if they do not fit."""
    import numpy as np  # noqa: PLC0415 - in the worker alone

    offset, laid = 0, []
    for group in groups:
        tensors = []
        for tensor in group:
            dtype, shape = np.dtype(tensor["dtype"]), [int(n) for n in tensor["shape"]]
            scale, zero = tensor["quantization"]
            tensors.append(
                {
                    "index": int(tensor["index"]),
                    "shape": shape,
                    "dtype": dtype.name,
                    "quantization": [float(scale), int(zero)],
                    "offset": offset,
                }
            )
            offset += -(-int(np.prod(shape)) * dtype.itemsize // ALIGN) * ALIGN
        laid.append(tensors)
    if offset > MEMORY_BYTES:
        raise ValueError(f"the network's tensors take {offset} bytes")
    return laid


def main() -> None:
    """The nursery."""
    number, memory, library, runtime, model, *walled = sys.argv[1:]
    for ending in (signal.SIGINT, signal.SIGTERM):  # meant for the detector, which closes us
        signal.signal(ending, signal.SIG_IGN)
    if walled:
        wall.fence_helper([Path(model), Path(library)])
        wall.close_helper()
    with socket.socket(fileno=int(number)) as control:
        nurse(control, int(memory), library, runtime, Path(model))


if __name__ == "__main__":
    main()
