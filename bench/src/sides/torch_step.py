"""PyTorch as the other side: the same training steps. Reads tasks and writes outcomes as JSON lines."""
import json
import resource
import sys
import time

import torch

from torch_towers import Clip

setting = json.loads(sys.argv[1])
torch.manual_seed(1)
torch.set_num_threads(setting["threads"])
batch, image, text = setting["batch"], setting["image"], setting["text"]

model = Clip(image, text, setting["embeddingSize"])
side = image["imageSize"]
pixels = torch.rand(batch, 3, side, side) * 2 - 1
tokens = torch.randint(text["vocabularySize"], (batch, text["contextLength"]))
if setting.get("channelsLast"):
    model, pixels = (x.to(memory_format=torch.channels_last) for x in (model, pixels))
matrices = [p for p in model.parameters() if p.ndim > 1]
others = [p for p in model.parameters() if p.ndim <= 1]
o = setting["optimiser"]
optimiser = torch.optim.AdamW(
    [{"params": matrices, "weight_decay": o["weightDecay"]}, {"params": others, "weight_decay": 0.0}],
    lr=setting["learningRate"],
    betas=(o["beta1"], o["beta2"]),
    eps=o["epsilon"],
)


def step():
    optimiser.zero_grad(set_to_none=True)
    loss = model(pixels, tokens)
    loss.backward()
    optimiser.step()
    with torch.no_grad():
        model.logit_scale.clamp_(max=4.6052)
    return loss.item()


def processor_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


print(json.dumps({"ready": torch.__version__}), flush=True)
for line in sys.stdin:
    runs = json.loads(line)["runs"]
    cpu, start = processor_seconds(), time.perf_counter()
    loss = 0.0
    for _ in range(runs):
        loss = step()
    outcome = {
        "seconds": time.perf_counter() - start,
        "cpuSeconds": processor_seconds() - cpu,
        "value": {"loss": loss, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000},
    }
    print(json.dumps(outcome), flush=True)
