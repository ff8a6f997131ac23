"""What the operators of a training program are in PyTorch: one row an operator, by ONNX's name.

A function takes the inputs in ONNX's order and the attributes by ONNX's names, so that one that is not known here is
an error and never left out. Inputs that say how (axes, shapes, bounds of slices) come as lists of integers: they are
constants of the program, and reading them from a device at every step would make it wait.
"""
import math
from dataclasses import dataclass
from typing import Callable

import torch
from torch.nn import functional

from onnx_file import types


@dataclass(frozen=True)
class Operator:
    apply: Callable
    # Which inputs are lists of integers.
    lists: tuple[int, ...] = ()


def cast(x, to):
    return x.to(types[to])


def where(condition, then, otherwise):
    return torch.where(condition, then, otherwise)


def clip(x, lowest, highest):
    return torch.clamp(x, lowest, highest)


def relu_gradient(gradient, x):
    return torch.ops.aten.threshold_backward(gradient.to(x.dtype), x, 0)


def kernel_gradient(gradient, x, side, padding):
    """Of y = conv(x, kernel) with stride 1, from the gradient of y: [channels of y, channels of x, side²]."""
    kernel = x.new_empty(gradient.shape[1], x.shape[1], side, side)  # only its shape counts
    if x.is_meta:  # the device of shapes alone has no gradient of convolutions
        return kernel.flatten(2)
    how = ([1, 1], [padding, padding], [1, 1], False, [0, 0], 1)  # strides, padding, dilations, no transposed one, 1 group
    _, found, _ = torch.ops.aten.convolution_backward(gradient, x, kernel, None, *how, [False, True, False])
    return found.flatten(2)


def reduce_sum(x, axes, keepdims=1):
    return x.sum(axes, keepdim=bool(keepdims))


def reduce_mean(x, axes, keepdims=1):
    return x.mean(axes, keepdim=bool(keepdims))


def reduce_max(x, axes, keepdims=1):
    return torch.amax(x, axes, keepdim=bool(keepdims))


def arg_max(x, axis=0, keepdims=1):
    return torch.argmax(x, axis, keepdim=bool(keepdims))


def softmax(x, axis=-1):
    return torch.softmax(x.float(), axis)


def log_softmax(x, axis=-1):
    return torch.log_softmax(x.float(), axis)


def reshape(x, shape):
    return x.reshape(shape)


def transpose(x, perm):
    return x.permute(perm)


def concat(*parts, axis):
    return torch.cat(parts, axis)


def slice_(x, starts, ends, axes, steps):
    for start, end, axis, step in zip(starts, ends, axes, steps):
        if step > 0:
            x = x[(slice(None),) * axis + (slice(start, end, step),)]
            continue
        # PyTorch goes forwards only: the same elements, then turned round.
        places = range(*slice(start, end, step).indices(x.shape[axis]))
        if len(places) == 0:
            x = x.narrow(axis, 0, 0)
        else:
            forwards = slice(places[-1], places[0] + 1, -step)
            x = x[(slice(None),) * axis + (forwards,)].flip(axis)
    return x


def pad(x, pads):
    rank = x.ndim
    # ONNX: all that comes before, then all that comes after; PyTorch: pairs, the last axis first.
    pairs = [pads[axis + side * rank] for axis in reversed(range(rank)) for side in (0, 1)]
    return functional.pad(x, pairs)


def expand(x, shape):
    return x.expand(torch.broadcast_shapes(x.shape, tuple(shape)))


def gather(table, indices, axis=0):
    chosen = table.index_select(axis, indices.reshape(-1))
    return chosen.reshape(table.shape[:axis] + indices.shape + table.shape[axis + 1 :])


def gather_nd(x, indices, batch_dims=0):
    if batch_dims != 1 or indices.shape[-1] != 1 or indices.ndim != 2:
        raise ValueError("GatherND is known for one token a sentence only: batch_dims 1 and indices [n, 1].")
    return x[torch.arange(len(x), device=x.device), indices[:, 0]]


def scatter_elements(x, indices, updates, axis=0, reduction="none"):
    if reduction == "add":
        return x.scatter_add(axis, indices, updates.to(x.dtype))
    if reduction == "none":
        return x.scatter(axis, indices, updates.to(x.dtype))
    raise ValueError(f"ScatterElements with reduction '{reduction}' is not known.")


def gemm(a, b, bias=None, alpha=1.0, beta=1.0, transA=0, transB=0):
    a = a.t() if transA else a
    b = b.t() if transB else b
    if bias is None:
        # With beta 0 the first operand has no influence: it is there to carry alpha at no cost.
        return a @ b if alpha == 1 else torch.addmm(a.new_empty(1), a, b, beta=0, alpha=alpha)
    return torch.addmm(bias, a, b, beta=beta, alpha=alpha)


def conv(x, kernel, bias=None, strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1), group=1):
    top, left, bottom, right = pads
    if (top, left) != (bottom, right):
        x = functional.pad(x, (left, right, top, bottom))
        top = left = 0
    return functional.conv2d(x, kernel, bias, tuple(strides), (top, left), tuple(dilations), group)


def conv_transpose(
    x, kernel, bias=None, strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1), group=1, output_padding=(0, 0)
):
    top, left, bottom, right = pads
    even = (top, left) == (bottom, right)
    y = functional.conv_transpose2d(
        x,
        kernel,
        bias,
        stride=tuple(strides),
        padding=(top, left) if even else 0,
        output_padding=tuple(output_padding),
        groups=group,
        dilation=tuple(dilations),
    )
    if even:
        return y
    return y[:, :, top : y.shape[2] - bottom, left : y.shape[3] - right]


def average_pool(x, kernel_shape, strides=(1, 1), pads=(0, 0, 0, 0)):
    top, left, bottom, right = pads
    if (top, left) != (bottom, right):
        raise ValueError("AveragePool is known for equal padding on both sides only.")
    return functional.avg_pool2d(
        x, tuple(kernel_shape), tuple(strides), (top, left), count_include_pad=False
    )


def layer_normalization(x, gain, bias=None, axis=-1, epsilon=1e-5):
    if axis != -1:
        raise ValueError("LayerNormalization is known over the last axis only.")
    return torch.native_layer_norm(x.to(gain.dtype), x.shape[-1:], gain, bias, epsilon)  # y, mean, 1 / deviation


def batch_normalization(x, gain, bias, mean, variance, epsilon=1e-5, momentum=0.9, training_mode=0):
    if not training_mode:
        return functional.batch_norm(x, mean, variance, gain, bias, False, 0.0, epsilon)
    if momentum != 0:
        raise ValueError("BatchNormalization in training is known with momentum 0 only.")
    y, mean, reciprocal = torch.native_batch_norm(x, gain, bias, None, None, True, 0.0, epsilon)
    return y, mean, reciprocal.pow(-2) - epsilon  # what it keeps of the batch is 1 / deviation


# How many multiplications the products make, as far as that is not small beside the whole.
multiplications = {
    "Conv": lambda x, kernel, *_, strides=(1, 1), **__: x.numel() // x.shape[1] * kernel.numel() // math.prod(strides),
    "ConvTranspose": lambda x, kernel, *_, **__: x.numel() // x.shape[1] * kernel.numel(),
    "Gemm": lambda a, b, *_, transA=0, **__: a.numel() // a.shape[0 if transA else 1] * b.numel(),
    "KernelGradient": lambda gradient, x, side, **_: gradient.numel() * x.shape[1] * side**2,
    "MatMul": lambda a, b: a.numel() * b.shape[-1],
}

operators = {
    # Element by element
    "Abs": Operator(torch.abs),
    "Add": Operator(torch.add),
    "Cast": Operator(cast),
    "Clip": Operator(clip),
    "Div": Operator(torch.div),
    "Equal": Operator(torch.eq),
    "Erf": Operator(torch.erf),
    "Exp": Operator(torch.exp),
    "Greater": Operator(torch.gt),
    "Identity": Operator(lambda x: x),
    "Log": Operator(torch.log),
    "Max": Operator(torch.maximum),
    "Min": Operator(torch.minimum),
    "Mul": Operator(torch.mul),
    "Neg": Operator(torch.neg),
    "Reciprocal": Operator(torch.reciprocal),
    "Relu": Operator(torch.relu),
    "Sigmoid": Operator(torch.sigmoid),
    "Softplus": Operator(functional.softplus),
    "Sqrt": Operator(torch.sqrt),
    "Sub": Operator(torch.sub),
    "Tanh": Operator(torch.tanh),
    "Where": Operator(where),
    # Over axes
    "ArgMax": Operator(arg_max),
    "LogSoftmax": Operator(log_softmax),
    "ReduceMax": Operator(reduce_max, lists=(1,)),
    "ReduceMean": Operator(reduce_mean, lists=(1,)),
    "ReduceSum": Operator(reduce_sum, lists=(1,)),
    "Softmax": Operator(softmax),
    # Shapes
    "Concat": Operator(concat),
    "Expand": Operator(expand, lists=(1,)),
    "Gather": Operator(gather),
    "GatherND": Operator(gather_nd),
    "Pad": Operator(pad, lists=(1,)),
    "Reshape": Operator(reshape, lists=(1,)),
    "ScatterElements": Operator(scatter_elements),
    "Slice": Operator(slice_, lists=(1, 2, 3, 4)),
    "Transpose": Operator(transpose),
    # Products
    "Gemm": Operator(gemm),
    "MatMul": Operator(torch.matmul),
    # Pictures
    "AveragePool": Operator(average_pool),
    "Conv": Operator(conv),
    "ConvTranspose": Operator(conv_transpose),
    # No operators of ONNX: several of them, see rewrites.py
    "KernelGradient": Operator(kernel_gradient),
    "ReluGradient": Operator(relu_gradient),
    # Norms
    "BatchNormalization": Operator(batch_normalization),
    "LayerNormalization": Operator(layer_normalization),
}

if __name__ == "__main__":
    print("\n".join(operators))
