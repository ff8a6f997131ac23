"""PyTorch as the other side: the same training steps. Reads tasks and writes outcomes as JSON lines."""
import json
import resource
import sys
import time

import torch
from torch import nn

setting = json.loads(sys.argv[1])
torch.manual_seed(1)
torch.set_num_threads(setting["threads"])
vit, batch, classes = setting["vit"], setting["batch"], setting["classes"]
width, heads = vit["width"], vit["heads"]


class QuickGelu(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(1.702 * x)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential(
            nn.Linear(width, vit["mlpWidth"]), QuickGelu(), nn.Linear(vit["mlpWidth"], width)
        )

    def forward(self, x):
        y = self.norm_1(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.norm_2(x))


class Vit(nn.Module):
    def __init__(self):
        super().__init__()
        side, patch = vit["imageSize"], vit["patchSize"]
        tokens = (side // patch) ** 2 + 1
        self.patches = nn.Conv2d(3, width, patch, patch, bias=False)
        self.token = nn.Parameter(torch.randn(width) * width**-0.5)
        self.positions = nn.Parameter(torch.randn(tokens, width) * width**-0.5)
        self.norm_before, self.norm_after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.blocks = nn.Sequential(*[Block() for _ in range(vit["layers"])])
        self.head = nn.Linear(width, classes)

    def forward(self, pixels):
        x = self.patches(pixels).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), 1, -1), x], 1) + self.positions
        x = self.blocks(self.norm_before(x))
        return self.head(self.norm_after(x[:, 0]))


model = Vit()
matrices = [p for p in model.parameters() if p.ndim > 1]
others = [p for p in model.parameters() if p.ndim <= 1]
o = setting["optimiser"]
optimiser = torch.optim.AdamW(
    [{"params": matrices, "weight_decay": o["weightDecay"]}, {"params": others, "weight_decay": 0.0}],
    lr=setting["learningRate"],
    betas=(o["beta1"], o["beta2"]),
    eps=o["epsilon"],
    **({"foreach": True} if setting.get("foreach") else {}),
)
pixels = torch.rand(batch, 3, vit["imageSize"], vit["imageSize"]) * 2 - 1
labels = torch.arange(batch) % classes


def step():
    optimiser.zero_grad(set_to_none=True)
    loss = nn.functional.cross_entropy(model(pixels), labels)
    loss.backward()
    optimiser.step()
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
        "value": {"loss": loss},
    }
    print(json.dumps(outcome), flush=True)
