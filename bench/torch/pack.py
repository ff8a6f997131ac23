"""Reads a packed training: what `training.json` in its folder names.

| field | what it is |
| --- | --- |
| program | the .onnx file of one training step |
| state | the safetensors file with what the first step reads besides its batch |
| feedback | pairs [output, input]: outputs of a step that are the state of the next one |
| reports | outputs that are single numbers, worth a line in the log |
| numbers | the safetensors file with inputs that are one number a step, [steps] each |
| batches | safetensors files with the other inputs, each under `BATCH/NAME`, batches counted from 0 |
| count | how many batches there are; step s, counted from 0, reads batch s mod count |
| first | the first batch that is packed: those before it are behind |
| perFile | how many a file holds; the last one may hold fewer |
| bytes | inputs [n, channels, …] packed as bytes: a byte b stands for b · scale + offset of its channel |
| renewal | null, or what part of the state is made anew now and then: see `renewal.py` |
"""
import json
import os
import sys
import time
from dataclasses import dataclass

import torch

from onnx_file import read_program
from renewal import Renewal, read_renewal
from safetensors_file import read_names, read_tensors


@dataclass(frozen=True)
class Pack:
    program: object
    state: str
    feedback: list[tuple[str, str]]
    reports: list[str]
    numbers: dict[str, torch.Tensor]
    batches: list[str]
    count: int
    first: int
    per_file: int
    bytes: dict[str, dict]
    renewal: Renewal | None


def read_pack(folder):
    """The description of a packed training with its program; paths are those of files in the folder."""
    path = os.path.join(folder, "training.json")
    with open(path, encoding="utf8") as file:
        description = json.load(file)
    if description.get("format") != 2:
        raise ValueError(f"{path} has format {description.get('format')}; this program reads format 2.")
    within = lambda name: os.path.join(folder, name)
    return Pack(
        program=read_program(within(description["program"])),
        state=within(description["state"]),
        feedback=[(output, name) for output, name in description["feedback"]],
        reports=description["reports"],
        numbers=read_tensors(within(description["numbers"]))[0],
        batches=[within(name) for name in description["batches"]],
        count=description["count"],
        first=description["first"],
        per_file=description["perFile"],
        bytes=description["bytes"],
        renewal=None if description["renewal"] is None else read_renewal(folder, description["renewal"]),
    )


def batches(pack, files, step, device):
    """The feeds of step `step`, counted from 0, of the next one and so on, as long as the files have their batches."""
    missing = next((file for file in files if not os.path.exists(file)), None)
    if missing is not None:
        raise ValueError(f"{missing} is not there: packing has not come to its end, or the batches are to be read with --follow.")
    place = {index: file for file in files for index in map(batch_of, read_names(file))}
    held, packed = None, {}
    while step % pack.count in place:
        index = step % pack.count
        if place[index] != held:
            held = place[index]
            packed = by_batch(read_tensors(held)[0])
        yield feeds_of(packed[index], pack, device)
        step += 1


def arriving(pack, step, device, stopped):
    """The feeds of step `step` and of the next ones, from files that are written meanwhile.

    Each file is waited for, until something is in `stopped`, and removed when its last batch is given.
    """
    while step < pack.count:
        file = pack.batches[step // pack.per_file]
        wait_for(file, stopped)
        if stopped:
            return
        packed = by_batch(read_tensors(file)[0])
        if step not in packed:
            raise ValueError(f"{file} begins with batch {min(packed)}, but step {step} is next: pack with --first {step}.")
        while step in packed:
            if step + 1 not in packed:
                os.remove(file)
            yield feeds_of(packed[step], pack, device)
            step += 1


def wait_for(file, stopped):
    start, told = time.monotonic(), False
    while not (stopped or os.path.exists(file)):
        time.sleep(0.02)
        if not told and time.monotonic() - start > 60:
            told = True
            print(f"Waiting for {file}: does train:pack still run?", file=sys.stderr)


def feeds_of(packed, pack, device):
    return {name: decode(tensor.to(device), pack.bytes.get(name)) for name, tensor in packed.items()}


def batch_of(name):
    return int(name.partition("/")[0])


def by_batch(tensors):
    found = {}
    for name, tensor in tensors.items():
        found.setdefault(batch_of(name), {})[name.partition("/")[2]] = tensor
    return found


def decode(tensor, code):
    """Bytes and halves as the single floats that the program reads; whole numbers as its int64."""
    if code is not None:
        shape = [1, -1] + [1] * (tensor.ndim - 2)
        scale, offset = (
            torch.tensor(code[part], dtype=torch.float32, device=tensor.device).reshape(shape)
            for part in ("scale", "offset")
        )
        return tensor.float() * scale + offset
    if tensor.dtype == torch.float16:
        return tensor.float()
    return tensor.long() if tensor.dtype == torch.int32 else tensor
