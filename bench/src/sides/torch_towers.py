"""The towers that are trained, as one writes them in PyTorch. Takes the same description as the other side."""
import torch
from torch import nn
from torch.nn import functional


class QuickGelu(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(1.702 * x)


activations = {"quick_gelu": QuickGelu, "gelu": nn.GELU}


class AttentionBlock(nn.Module):
    def __init__(self, width, heads, mlp_width):
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, mlp_width), QuickGelu(), nn.Linear(mlp_width, width))

    def forward(self, x, mask=None):
        y = self.norm_1(x)
        x = x + self.attention(y, y, y, need_weights=False, attn_mask=mask)[0]
        return x + self.mlp(self.norm_2(x))


def attention_blocks(o):
    return nn.ModuleList(AttentionBlock(o["width"], o["heads"], o["mlpWidth"]) for _ in range(o["layers"]))


class Vit(nn.Module):
    def __init__(self, o, embedding_size):
        super().__init__()
        width, patch = o["width"], o["patchSize"]
        tokens = (o["imageSize"] // patch) ** 2 + 1
        self.patches = nn.Conv2d(3, width, patch, patch, bias=False)
        self.token = nn.Parameter(torch.randn(width) * width**-0.5)
        self.positions = nn.Parameter(torch.randn(tokens, width) * width**-0.5)
        self.norm_before, self.norm_after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.blocks = attention_blocks(o)
        self.projection = nn.Linear(width, embedding_size, bias=False)

    def forward(self, pixels):
        x = self.patches(pixels).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), 1, -1), x], 1) + self.positions
        x = self.norm_before(x)
        for block in self.blocks:
            x = block(x)
        return self.projection(self.norm_after(x[:, 0]))


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of [n, channels, h, w]."""

    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNextBlock(nn.Module):
    def __init__(self, width, kernel, activation):
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), activations[activation](), nn.Linear(4 * width, width)
        )
        self.scale = nn.Parameter(torch.full([width], 1e-2))

    def forward(self, x):
        rows = self.depthwise(x).permute(0, 2, 3, 1)
        return x + (self.mlp(self.norm(rows)) * self.scale).permute(0, 3, 1, 2)


class ConvNext(nn.Module):
    def __init__(self, o, embedding_size):
        super().__init__()
        layers, before = [], 3
        for stage, (width, blocks) in enumerate(zip(o["widths"], o["blocks"])):
            patch = o["patchSize"] if stage == 0 else 2
            cut = nn.Conv2d(before, width, patch, patch)
            layers += [cut, ChannelNorm(width, 1e-6)] if stage == 0 else [ChannelNorm(before, 1e-6), cut]
            layers += [ConvNextBlock(width, o["kernelSize"], o["activation"]) for _ in range(blocks)]
            before = width
        self.layers = nn.Sequential(*layers)
        self.norm = nn.LayerNorm(before, eps=1e-6)
        self.projection = nn.Linear(before, embedding_size, bias=False)

    def forward(self, pixels):
        return self.projection(self.norm(self.layers(pixels).mean((2, 3))))


def convolution(before, width, kernel, stride=1):
    padding = 0 if stride > 1 else kernel // 2
    return [nn.Conv2d(before, width, kernel, stride, padding, bias=False), nn.BatchNorm2d(width)]


class BasicBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.branch = nn.Sequential(
            *convolution(width, width, 3), nn.ReLU(inplace=True), *convolution(width, width, 3)
        )

    def forward(self, x):
        return functional.relu(x + self.branch(x), inplace=True)


class BasicResNet(nn.Module):
    def __init__(self, o, embedding_size):
        super().__init__()
        patch, widths = o["patchSize"], o["widths"]
        before = widths[0]
        layers = [nn.PixelUnshuffle(patch), *convolution(3 * patch**2, before, 3), nn.ReLU(inplace=True)]
        for stage, (width, blocks) in enumerate(zip(widths, o["blocks"])):
            if stage > 0:
                layers += [*convolution(before, width, 2, 2), nn.ReLU(inplace=True)]
            layers += [BasicBlock(width) for _ in range(blocks)]
            before = width
        self.layers = nn.Sequential(*layers)
        self.projection = nn.Linear(before, embedding_size, bias=False)

    def forward(self, pixels):
        return self.projection(self.layers(pixels).mean((2, 3)))


class TextTower(nn.Module):
    def __init__(self, o, embedding_size):
        super().__init__()
        width, length = o["width"], o["contextLength"]
        self.words = nn.Embedding(o["vocabularySize"], width)
        self.positions = nn.Parameter(torch.randn(length, width) * 0.01)
        self.blocks = attention_blocks(o)
        self.norm = nn.LayerNorm(width)
        self.projection = nn.Linear(width, embedding_size, bias=False)
        mask = torch.full([length, length], float("-inf")).triu(1)
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, tokens):
        x = self.words(tokens) + self.positions
        for block in self.blocks:
            x = block(x, self.mask)
        return self.projection(self.norm(x[torch.arange(len(x)), tokens.argmax(-1)]))


towers = {"vit": Vit, "convnext": ConvNext, "basic_resnet": BasicResNet}


class Clip(nn.Module):
    def __init__(self, image, text, embedding_size):
        super().__init__()
        self.image = towers[image["kind"]](image, embedding_size)
        self.text = TextTower(text, embedding_size)
        self.logit_scale = nn.Parameter(torch.tensor(1 / 0.07).log())

    def forward(self, pixels, tokens):
        """The contrastive loss of a batch."""
        images = functional.normalize(self.image(pixels), dim=-1)
        texts = functional.normalize(self.text(tokens), dim=-1)
        logits = self.logit_scale.exp() * images @ texts.t()
        labels = torch.arange(len(logits))
        return (functional.cross_entropy(logits, labels) + functional.cross_entropy(logits.t(), labels)) / 2
