"""Runs a program node by node. No gradients are recorded: the program computes them itself.

Large products may be computed in bfloat16, as mixed precision does (Micikevicius et al. 2018): what they read and what
they give is rounded to eight binary digits, sums inside them are single, and what follows element by element is rounded
too, until it meets single precision again. Softmax, its logarithm, and the state are single.
"""
from dataclasses import dataclass
from typing import Callable

import torch

from operators import multiplications, operators
from rewrites import rewritten

# Products of fewer multiplications stay in single precision: they cost little, and the similarities of batches of usual
# size, which are among them, need their digits.
large = 50_000_000


@dataclass(frozen=True)
class Instruction:
    """One node, ready to run: each argument is a list of integers or the name of a value."""

    operator: str
    apply: Callable
    arguments: list[str | list[int]]
    attributes: dict
    outputs: list[str]
    # Values that nobody reads afterwards: their memory is free for the next ones.
    last_used: list[str]


class Interpreter:
    """A program on a device.

    `run` maps feeds by name to outputs by name. Feeds must lie on the device; shapes are those of the program.
    """

    def __init__(self, program, device, bfloat16=False):
        self.bfloat16 = bfloat16
        self.inputs = program.inputs
        self.outputs = program.outputs
        self.instructions = prepare(program)
        read = {name for i in self.instructions for name in i.arguments if isinstance(name, str)}
        self.constants = {
            name: tensor.to(device) for name, tensor in program.constants.items() if name in read
        }

    @torch.no_grad()
    def run(self, feeds):
        values = {**self.constants, **feeds}
        rounded = {}
        for instruction in self.instructions:
            arguments = [
                values[argument] if isinstance(argument, str) else argument
                for argument in instruction.arguments
            ]
            if self.bfloat16 and instruction.operator in multiplications:
                arguments = operands(instruction, arguments, rounded)
            try:
                results = instruction.apply(*arguments, **instruction.attributes)
            except Exception as error:
                shapes = [list(a.shape) if isinstance(a, torch.Tensor) else a for a in arguments]
                raise RuntimeError(f"{instruction.operator} of {shapes} failed: {error}") from error
            if isinstance(results, torch.Tensor):
                results = (results,)
            values.update(zip(instruction.outputs, results))
            for name in instruction.last_used:
                del values[name]
                rounded.pop(name, None)
        return {name: values[name] for name in self.outputs}


def operands(instruction, arguments, rounded):
    """What a product reads, in the precision that its size asks for. `rounded` keeps what several products read."""
    if multiplications[instruction.operator](*arguments, **instruction.attributes) < large:
        return [argument.float() for argument in arguments]
    for name, argument in zip(instruction.arguments, arguments):
        if name not in rounded:
            rounded[name] = argument.bfloat16()
    return [rounded[name] for name in instruction.arguments]


def prepare(program):
    """The nodes with their operators looked up, lists read, and the places where values end."""
    kept = set(program.outputs) | set(program.constants)
    seen = set()
    instructions = []
    for node in reversed(rewritten(program)):
        if node.operator not in operators:
            raise ValueError(f"The operator '{node.operator}' has no row in operators.py.")
        operator = operators[node.operator]
        arguments = [
            integers(program, node, name) if place in operator.lists else name
            for place, name in enumerate(node.inputs)
        ]
        named = [a for a in arguments if isinstance(a, str)]
        ending = [name for name in dict.fromkeys(named + node.outputs) if name not in seen | kept]
        seen.update(named)
        instructions.append(
            Instruction(node.operator, operator.apply, arguments, node.attributes, node.outputs, ending)
        )
    return instructions[::-1]


def integers(program, node, name):
    if name not in program.constants:
        raise ValueError(
            f"'{name}', which says how {node.operator} works, is not in the program: "
            "only programs whose sizes are all known beforehand can be run here, as training programs are."
        )
    return program.constants[name].tolist()
