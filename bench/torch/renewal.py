"""State that no gradient moves, made anew now and then: the words of classes as the text tower has them.

| field | what it is |
| --- | --- |
| program | the .onnx file that embeds `tokens` [rows, length] as unit vectors `embedded` [rows, width] |
| rows | sentences that the program takes at once |
| sentences | the safetensors file with `tokens` of all sentences, and the class that each is of as `owners` |
| classes | how many classes there are |
| everySteps | the steps between two renewals; the first step begins with one |
| state | the state's name, [classes, width]: the mean of each class's sentences, as unit vectors |
"""
import os
from dataclasses import dataclass

import torch
from torch.nn import functional

from interpreter import Interpreter
from onnx_file import read_program
from safetensors_file import read_tensors


@dataclass(frozen=True)
class Renewal:
    program: object
    rows: int
    tokens: torch.Tensor
    owners: torch.Tensor
    classes: int
    every_steps: int
    state: str


def read_renewal(folder, description):
    within = lambda name: os.path.join(folder, name)
    sentences = read_tensors(within(description["sentences"]))[0]
    return Renewal(
        program=read_program(within(description["program"])),
        rows=description["rows"],
        tokens=sentences["tokens"].long(),
        owners=sentences["owners"].long(),
        classes=description["classes"],
        every_steps=description["everySteps"],
        state=description["state"],
    )


class Renewer:
    """A renewal on a device."""

    def __init__(self, renewal, device, bfloat16=False):
        self.renewal = renewal
        self.interpreter = Interpreter(renewal.program, device, bfloat16)
        self.tokens, self.owners = renewal.tokens.to(device), renewal.owners.to(device)

    def is_due(self, step):
        """Whether it comes before step `step`, counted from 0."""
        return step % self.renewal.every_steps == 0

    def renew(self, state):
        """The part of the state that is made anew, by name, from the rest of it."""
        rows = self.renewal.rows
        parameters = {name: state[name] for name in self.interpreter.inputs if name != "tokens"}
        embedded = []
        for piece in self.tokens.split(rows):
            # The program has one size: the last piece is filled up with zeros, whose rows are left out.
            tokens = functional.pad(piece, (0, 0, 0, rows - len(piece)))
            embedded.append(self.interpreter.run({**parameters, "tokens": tokens})["embedded"][: len(piece)].float())
        embedded = torch.cat(embedded)
        sums = embedded.new_zeros(self.renewal.classes, embedded.shape[1]).index_add(0, self.owners, embedded)
        return {self.renewal.state: functional.normalize(sums)}
