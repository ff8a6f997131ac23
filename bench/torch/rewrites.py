"""Groups of nodes for which PyTorch has one operator, which is faster than they are one by one."""
from math import isqrt

from onnx_file import Node


def rewritten(program):
    """The nodes of a program, fewer of them."""
    nodes = with_kernel_gradients(with_relu_gradients(program.nodes, program.constants), program.constants)
    return needed(nodes, program.outputs)


def with_relu_gradients(nodes, constants):
    """Where(Greater(x, 0), gradient, 0): forty times as fast on a CPU."""
    zeros = {name for name, tensor in constants.items() if tensor.ndim == 0 and tensor == 0}
    compared = {
        node.outputs[0]: node.inputs[0]
        for node in nodes
        if node.operator == "Greater" and node.inputs[1] in zeros
    }
    return [
        Node("ReluGradient", [node.inputs[1], compared[node.inputs[0]]], node.outputs, {})
        if node.operator == "Where" and node.inputs[0] in compared and node.inputs[2] in zeros
        else node
        for node in nodes
    ]


def with_kernel_gradients(nodes, constants):
    """The gradient of a kernel as a product for each of its places (src/graph/convolution-gradients.ts), joined."""
    made = {output: node for node in nodes for output in node.outputs}
    return [kernel_gradient(node, made, constants) or node for node in nodes]


def kernel_gradient(joined, made, constants):
    """One node for `joined` and all that leads to it, where it joins such products; nothing otherwise."""
    side = isqrt(len(joined.inputs))
    if joined.operator != "Concat" or side < 2 or side**2 != len(joined.inputs):
        return None
    products = [chain(name, ["Reshape", "Gemm"], made) for name in joined.inputs]
    if None in products or any(product.attributes.get("transB") != 1 for product in products):
        return None
    if len({product.inputs[0] for product in products}) > 1:
        return None
    ends = [pixels_in_rows(product.inputs[1], made, constants) for product in products]
    gradient = pixels_in_rows(products[0].inputs[0], made, constants)
    if gradient is None or None in ends or len({(end[0], tuple(end[1])) for end in ends}) > 1:
        return None
    image, pads, _ = ends[0]
    firsts = [first for _, _, first in ends]
    row = firsts[side]
    in_order = firsts == [a * row + b for a in range(side) for b in range(side)]
    top, left, bottom, right = (pads[axis] for axis in (2, 3, 6, 7))
    if not in_order or not top == left == bottom == right or any(gradient[1][:4]):
        return None
    return Node("KernelGradient", [gradient[0], image], joined.outputs, {"side": side, "padding": top})


def pixels_in_rows(name, made, constants):
    """Of pixels that were padded and laid into one row a channel: which they are, the padding, the first in use."""
    cut = made.get(name)
    padded = chain(name, ["Slice", "Reshape", "Transpose", "Pad"], made)
    if padded is None or any(part not in constants for part in (cut.inputs[1], padded.inputs[1])):
        return None
    return padded.inputs[0], constants[padded.inputs[1]].tolist(), constants[cut.inputs[1]].tolist()[0]


def chain(name, operators, made):
    """The last of the nodes that lead to a value one after another, where they are these; nothing otherwise."""
    for operator in operators:
        node = made.get(name)
        if node is None or node.operator != operator:
            return None
        name = node.inputs[0]
    return node


def needed(nodes, outputs):
    """The nodes without those whose results nobody reads."""
    read, kept = set(outputs), []
    for node in reversed(nodes):
        if read.intersection(node.outputs):
            read.update(node.inputs)
            kept.append(node)
    return kept[::-1]
