"""Trains with a program of eidos in PyTorch: `python3 train.py PACK --device cuda --out state.safetensors`.

PACK is a folder that `npm run train:pack` has written. Prints one JSON line a step (or every so many), saves the
state now and then and at the end; SIGINT and SIGTERM end the run after the step at hand, with the state saved.
"""
import argparse
import json
import math
import os
import signal
import sys
import time

import torch

from interpreter import Interpreter
from onnx_file import read_program
from pack import arriving, batches, read_pack
from renewal import Renewer
from safetensors_file import read_tensors, write_tensors


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", help="folder with training.json")
    parser.add_argument("--program", help="another .onnx file than the pack's (of the same inputs)")
    parser.add_argument("--state", help="where to go on from [the pack's first state, or --out where it is there]")
    parser.add_argument("--batches", nargs="+", help="the files at hand; training ends where the next batch is in none [all]")
    parser.add_argument("--out", default="state.safetensors", help="where the state goes [%(default)s]")
    parser.add_argument("--weights", help="a file for the parameters alone, in half precision, at the end")
    parser.add_argument("--steps", type=int, help="stop after this step [the last that the pack has numbers for]")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 … [%(default)s]")
    parser.add_argument("--threads", type=int, help="threads on the CPU")
    parser.add_argument("--follow", action="store_true", help="wait for files of batches that are written meanwhile, and remove those read")
    parser.add_argument("--bfloat16", action="store_true", help="large products in bfloat16")
    parser.add_argument("--tf32", action="store_true", help="matrix products in TensorFloat-32 on CUDA")
    parser.add_argument("--log-every", type=int, default=1, help="steps from line to line [%(default)s]")
    parser.add_argument("--save-every", type=int, default=1000, help="steps from file to file [%(default)s]")
    o = parser.parse_args()
    if o.follow and o.batches:
        parser.error("--follow reads the files of the pack as they come: leave out --batches")
    return o


def require_finite(outputs, reports, step):
    """Ends before a state is saved whose loss, or the gradients that led to it, are no numbers."""
    for name in reports:
        if name in outputs and not math.isfinite(outputs[name].item()):
            sys.exit(f"'{name}' of step {step} is {outputs[name].item()}; the last state saved is kept.")


def main():
    o = options()
    if o.threads is not None:
        torch.set_num_threads(o.threads)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = o.tf32
    pack = read_pack(o.pack)
    program = pack.program if o.program is None else read_program(o.program)
    interpreter = Interpreter(program, o.device, o.bfloat16)
    renewer = None if pack.renewal is None else Renewer(pack.renewal, o.device, o.bfloat16)
    goes_on = o.state is None and os.path.exists(o.out)
    tensors, notes = read_tensors(o.state or (o.out if goes_on else pack.state))
    missing = [name for _, name in pack.feedback if name not in tensors]
    if missing:
        sys.exit(f"The state lacks {len(missing)} of {len(pack.feedback)} tensors, as '{missing[0]}'.")
    state = {name: tensor.to(o.device) for name, tensor in tensors.items() if name in interpreter.inputs}
    step = int(notes.get("step", 0))
    numbers = {name: series.to(o.device) for name, series in pack.numbers.items()}
    known = min((len(series) for series in numbers.values()), default=o.steps)
    last = known if o.steps is None else min(o.steps, known)
    stopped = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.append(True))
    if step < pack.first:
        sys.exit(f"The batches begin with number {pack.first}, but step {step} is next: pack with --first {step}.")
    if o.follow:
        source = arriving(pack, step, o.device, stopped)
    else:
        source = batches(pack, o.batches or pack.batches, step, o.device)

    def save():
        require_finite(outputs, pack.reports, step)
        write_tensors(o.out, state, {"step": str(step)})
        print(f"{o.out}: the state after step {step}", file=sys.stderr)

    start, logged = time.perf_counter(), step
    outputs = {}
    while step < last and not stopped:
        batch = next(source, None)
        if batch is None:
            if not stopped:
                print(f"Batch {step % pack.count} is in none of the files: ended after step {step}.", file=sys.stderr)
            break
        if renewer is not None and renewer.is_due(step):
            state.update(renewer.renew(state))
        feeds = {**batch, **{name: series[step] for name, series in numbers.items()}, **state}
        outputs = interpreter.run({name: feeds[name] for name in interpreter.inputs})
        state.update((name, outputs[output]) for output, name in pack.feedback)
        step += 1
        if step % o.log_every == 0 or step == last:
            line = {name: outputs[name].item() for name in pack.reports}
            now = time.perf_counter()
            line = {"step": step, **line, "seconds": (now - start) / (step - logged)}
            print(json.dumps(line), flush=True)
            require_finite(outputs, pack.reports, step)
            start, logged = now, step
        if step % o.save_every == 0 and step < last:
            save()
    save()
    if o.weights is not None:
        weights = {name: value.half() for name, value in state.items() if ":" not in name}
        write_tensors(o.weights, weights, {"step": str(step)})


if __name__ == "__main__":
    main()
