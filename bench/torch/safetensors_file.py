"""Reads and writes safetensors files: eight bytes with the length of a header in JSON, the header, the numbers."""
import json
import os
import struct

import torch

types = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
names = {kind: name for name, kind in types.items()}
# Numbers begin at a multiple of this many bytes, so that the file can be mapped.
alignment = 64


def read_names(path):
    """The names of the tensors in a file, which is not read further."""
    with open(path, "rb") as file:
        return list(read_header(path, file)[0])


def read_tensors(path):
    """All tensors by name, and the notes of the file."""
    with open(path, "rb") as file:
        header, notes = read_header(path, file)
        data = bytearray(file.read())
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        if end > len(data):
            raise ValueError(f"{path} ends within the tensor '{name}': it is cut off.")
        kind = types[entry["dtype"]]
        if begin == end:
            tensors[name] = torch.empty(entry["shape"], dtype=kind)
        else:
            count = (end - begin) // torch.empty((), dtype=kind).element_size()
            tensors[name] = torch.frombuffer(data, dtype=kind, count=count, offset=begin).reshape(entry["shape"])
    return tensors, notes


def read_header(path, file):
    """What is known of each tensor by its name, and the notes; the file stands at the first number afterwards."""
    start = file.read(8)
    length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
    text = file.read(length) if length <= os.path.getsize(path) else b""
    if len(text) == 0 or len(text) < length:
        raise ValueError(f"{path} is no safetensors file, or it is cut off.")
    header = json.loads(text)
    return header, header.pop("__metadata__", {})


def write_tensors(path, tensors, notes):
    """Writes a file beside its place and renames it, so that nobody ever reads half of one."""
    header, offset = {"__metadata__": notes}, 0
    for name, tensor in tensors.items():
        end = offset + tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": names[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % alignment)
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "wb") as file:
            file.write(struct.pack("<Q", len(text)))
            file.write(text)
            for tensor in tensors.values():
                file.write(tensor.detach().cpu().contiguous().numpy().tobytes())
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)
