"""Reads a program of eidos: an .onnx file, of which only the fields that eidos writes are known here.

An .onnx file is one protobuf message. A message is a row of fields; a field is a key (number and wire type) and a
value: an integer of variable length (0), eight bytes (1), bytes with their length before them (2) or four bytes (5).
The numbers of the fields are those of onnx.proto3.
"""
import struct
from dataclasses import dataclass

import torch

# TensorProto.DataType
types = {
    1: torch.float32,
    2: torch.uint8,
    3: torch.int8,
    5: torch.int16,
    6: torch.int32,
    7: torch.int64,
    9: torch.bool,
    10: torch.float16,
    11: torch.float64,
    16: torch.bfloat16,
}


@dataclass(frozen=True)
class Node:
    """One application of an operator, to values by name."""

    operator: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, int | float | str | list[int]]


@dataclass(frozen=True)
class Program:
    """Nodes in an order in which they can run, small tensors that the file carries, names of inputs and outputs."""

    nodes: list[Node]
    constants: dict[str, torch.Tensor]
    inputs: list[str]
    outputs: list[str]


def read_program(path):
    """The program in an .onnx file whose tensors lie inside it."""
    with open(path, "rb") as file:
        model = memoryview(file.read())
    graph = next((value for number, value in fields(model) if number == 7), None)
    if graph is None:
        raise ValueError(f"{path} holds no program; is it an .onnx file?")
    nodes, constants, inputs, outputs = [], {}, [], []
    for number, value in fields(graph):
        if number == 1:
            nodes.append(read_node(value))
        elif number == 5:
            name, tensor = read_tensor(value)
            constants[name] = tensor
        elif number == 11:
            inputs.append(read_name(value))
        elif number == 12:
            outputs.append(read_name(value))
    return Program(nodes, constants, inputs, outputs)


def read_node(message):
    inputs, outputs, operator, domain, attributes = [], [], "", "", {}
    for number, value in fields(message):
        if number == 1:
            inputs.append(text(value))
        elif number == 2:
            outputs.append(text(value))
        elif number == 4:
            operator = text(value)
        elif number == 5:
            name, content = read_attribute(value)
            attributes[name] = content
        elif number == 7:
            domain = text(value)
    return Node(f"{domain}.{operator}" if domain else operator, inputs, outputs, attributes)


def read_attribute(message):
    name, content, integers, kind = "", None, [], 0
    for number, value in fields(message):
        if number == 1:
            name = text(value)
        elif number == 2:
            content = struct.unpack("<f", value)[0]
        elif number == 3:
            content = signed(value)
        elif number == 4:
            content = text(value)
        elif number == 8:
            integers += repeated(value)
        elif number == 20:
            kind = value
    return name, integers if kind == 7 else content


def read_tensor(message):
    shape, kind, name, data = [], 0, "", b""
    for number, value in fields(message):
        if number == 1:
            shape += repeated(value)
        elif number == 2:
            kind = value
        elif number == 8:
            name = text(value)
        elif number == 9:
            data = value
        elif number == 13:
            raise ValueError(f"The tensor '{name}' lies in another file; pack the program with all tensors inside.")
    if len(data) == 0:
        return name, torch.empty(shape, dtype=types[kind])
    return name, torch.frombuffer(bytearray(data), dtype=types[kind]).reshape(shape)


def read_name(message):
    return next(text(value) for number, value in fields(message) if number == 1)


def fields(message):
    """The fields of a message in their order, as (number, value)."""
    at = 0
    while at < len(message):
        key, at = variable(message, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = variable(message, at)
            yield number, value
            continue
        if wire == 2:
            length, at = variable(message, at)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise ValueError(f"Wire type {wire} in an .onnx file: it is damaged.")
        if at + length > len(message):
            raise ValueError("The .onnx file ends within a field: it is cut off.")
        yield number, message[at : at + length]
        at += length


def variable(message, at):
    """An integer of seven bits a byte, the lowest first; the eighth bit says that more follow."""
    value = shift = 0
    while True:
        if at >= len(message):
            raise ValueError("The .onnx file ends within a number: it is cut off.")
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def repeated(value):
    """Integers one by one, or many packed into bytes."""
    if isinstance(value, int):
        return [signed(value)]
    numbers, at = [], 0
    while at < len(value):
        number, at = variable(value, at)
        numbers.append(signed(number))
    return numbers


def signed(value):
    return value - (1 << 64) if value >= 1 << 63 else value


def text(value):
    return bytes(value).decode()
