"""The engine's model families in plain PyTorch, as its users write them: contiguous (NCHW) float32, no compilation. Parameters carry the
engine's names, so that its weights load. Without latents and dropout, which the benchmark does not use.

Shapes: B batch, D data dimension, P planes, L length, H and W height and width, E embedding.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn


def time_features(t, count, highest):
    """cos and sin at count / 2 geometrically spaced frequencies from 1/4 to `highest`: [B] -> [B, count]."""
    phase = t[:, None] * torch.logspace(math.log10(0.25), math.log10(highest), count // 2, device=t.device) * (2 * math.pi)
    return torch.cat([phase.cos(), phase.sin()], 1)


def position_features(t, count, max_position):
    """Embedding of Dhariwal and Nichol: [B] -> [B, count]."""
    phase = t[:, None] * (1 / max_position) ** (torch.arange(count // 2, device=t.device) / (count // 2))
    return torch.cat([phase.cos(), phase.sin()], 1)


class MlpBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        gated = max(1, width * 3 // 4)
        self.norm = nn.LayerNorm(width)
        self.first = nn.Linear(width, 2 * gated)
        self.second = nn.Linear(gated, width)

    def forward(self, h):
        a, b = self.first(self.norm(h)).chunk(2, 1)
        return h + self.second(F.silu(a) * b)


class Mlp(nn.Module):
    def __init__(self, case):
        super().__init__()
        self.input = nn.Linear(case["dimension"] + 32, case["width"])
        self.blocks = [MlpBlock(case["width"]) for _ in range(case["depth"])]
        for index, block in enumerate(self.blocks):
            self.add_module(f"block{index}", block)
        self.norm = nn.LayerNorm(case["width"])
        self.zero_output = nn.Linear(case["width"], case["dimension"])

    def forward(self, x, t):
        h = self.input(torch.cat([x, time_features(t, 32, 8.0)], 1))
        for block in self.blocks:
            h = block(h)
        return self.zero_output(F.silu(self.norm(h)))


def group_norm_1d(planes):
    return nn.GroupNorm(planes // 8 if planes % 8 == 0 else 1, planes)


class Block1d(nn.Module):
    def __init__(self, before, after, embedding):
        super().__init__()
        self.norm1 = group_norm_1d(before)
        self.conv1 = nn.Conv1d(before, after, 5, padding=2)
        self.embed = nn.Linear(embedding, after)
        self.norm2 = group_norm_1d(after)
        self.zero_conv2 = nn.Conv1d(after, after, 5, padding=2)
        self.skip = nn.Conv1d(before, after, 1) if before != after else nn.Identity()

    def forward(self, h, e):
        inner = self.conv1(F.silu(self.norm1(h))) + self.embed(e)[:, :, None]
        return self.skip(h) + self.zero_conv2(F.silu(self.norm2(inner)))


class Unet1d(nn.Module):
    def __init__(self, case):
        super().__init__()
        width, multipliers, per_level = case["width"], case["multipliers"], case["blocks_per_level"]
        embedding = 4 * width
        self.embed1 = nn.Linear(64, embedding)
        self.embed2 = nn.Linear(embedding, embedding)
        self.stem = nn.Conv1d(1, width, 5, padding=2)
        self.down, self.middle, self.up = [], [], []
        planes, skips, self.count = width, [width], 0

        def add(kind, before, after):
            block = Block1d(before, after, embedding)
            self.add_module(f"{kind}{self.count}", block)
            self.count += 1
            return block

        for level, multiplier in enumerate(multipliers):
            for _ in range(per_level):
                self.down.append(add("down", planes, width * multiplier))
                planes = width * multiplier
                skips.append(planes)
            if level + 1 < len(multipliers):
                self.down.append(nn.Conv1d(planes, planes, 3, stride=2, padding=1))
                self.add_module(f"shrink{level}", self.down[-1])
                skips.append(planes)
        self.middle = [add("middle", planes, planes) for _ in range(2)]
        for level in reversed(range(len(multipliers))):
            for _ in range(per_level + 1):
                self.up.append(add("up", planes + skips.pop(), width * multipliers[level]))
                planes = width * multipliers[level]
            if level > 0:
                self.up.append(nn.Conv1d(planes, planes, 3, padding=1))
                self.add_module(f"grow{level}", self.up[-1])
        self.norm = group_norm_1d(planes)
        self.zero_head = nn.Conv1d(planes, 1, 5, padding=2)

    def forward(self, x, t):
        e = F.silu(self.embed2(F.silu(self.embed1(time_features(t, 64, 64.0)))))
        h = self.stem(x[:, None])
        skips = [h]
        for layer in self.down:
            h = layer(h, e) if isinstance(layer, Block1d) else layer(h)
            skips.append(h)
        for block in self.middle:
            h = block(h, e)
        for layer in self.up:
            if isinstance(layer, Block1d):
                h = layer(torch.cat([h, skips.pop()], 1), e)
            else:
                h = layer(F.interpolate(h, scale_factor=2, mode="nearest"))
        return self.zero_head(F.silu(self.norm(h)))[:, 0]


def group_norm_2d(planes):
    groups = min(32, max(1, planes // 4))
    while planes % groups:
        groups -= 1
    return nn.GroupNorm(groups, planes)


class Attention(nn.Module):
    def __init__(self, planes, head_planes):
        super().__init__()
        self.heads = max(1, planes // head_planes)
        self.norm = group_norm_2d(planes)
        self.qkv = nn.Conv2d(planes, 3 * planes, 1)
        self.zero_out = nn.Conv2d(planes, planes, 1)

    def forward(self, h):
        b, p, height, width = h.shape
        q, k, v = self.qkv(self.norm(h)).view(b, 3, self.heads, p // self.heads, height * width).transpose(3, 4).unbind(1)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return h + self.zero_out(mixed.transpose(2, 3).reshape(b, p, height, width))


class Block2d(nn.Module):
    def __init__(self, before, after, embedding, head_planes, attends=False, resample=None):
        super().__init__()
        self.resample = resample
        self.norm1 = group_norm_2d(before)
        self.conv1 = nn.Conv2d(before, after, 3, padding=1)
        self.embed = nn.Linear(embedding, 2 * after)
        self.norm2 = group_norm_2d(after)
        self.zero_conv2 = nn.Conv2d(after, after, 3, padding=1)
        self.skip = nn.Conv2d(before, after, 1) if before != after else nn.Identity()
        self.attention = Attention(after, head_planes) if attends else nn.Identity()

    def sized(self, h):
        if self.resample == "halve":
            return F.avg_pool2d(h, 2)
        return F.interpolate(h, scale_factor=2, mode="nearest") if self.resample == "double" else h

    def forward(self, h, e):
        inner = self.conv1(self.sized(F.silu(self.norm1(h))))
        scale, shift = self.embed(e)[:, :, None, None].chunk(2, 1)
        inner = F.silu(self.norm2(inner) * (1 + scale) + shift)
        return self.attention(self.skip(self.sized(h)) + self.zero_conv2(inner))


class Trunk(nn.Module):
    def __init__(self, case, embedding):
        super().__init__()
        width, multipliers, per_level, attention = case["width"], case["multipliers"], case["blocks_per_level"], case["attention"]
        pictures, height, _ = case["extents"]
        planes = width * multipliers[0]
        self.stem = nn.Conv2d(pictures, planes, 3, padding=1)
        self.down, self.up, self.takes_skip = [], [], []
        skips, self.count = [planes], 0

        def add(kind, before, after, **options):
            block = Block2d(before, after, embedding, case["head_planes"], **options)
            self.add_module(f"{kind}{self.count}", block)
            self.count += 1
            return block

        for level, multiplier in enumerate(multipliers):
            attends = height >> level in attention
            if level > 0:
                self.down.append(add("down", planes, planes, resample="halve"))
                skips.append(planes)
            for _ in range(per_level):
                self.down.append(add("down", planes, width * multiplier, attends=attends))
                planes = width * multiplier
                skips.append(planes)
        self.middle = [add("middle", planes, planes, attends=bool(attention)), add("middle", planes, planes)]
        for level in reversed(range(len(multipliers))):
            attends = height >> level in attention
            if level + 1 < len(multipliers):
                self.up.append(add("up", planes, planes, resample="double"))
                self.takes_skip.append(False)
            for _ in range(per_level + 1):
                self.up.append(add("up", planes + skips.pop(), width * multipliers[level], attends=attends))
                planes = width * multipliers[level]
                self.takes_skip.append(True)
        self.norm = group_norm_2d(planes)
        self.zero_head = nn.Conv2d(planes, pictures, 3, padding=1)

    def forward(self, h, e):
        h = self.stem(h)
        skips = [h]
        for block in self.down:
            h = block(h, e)
            skips.append(h)
        for block in self.middle:
            h = block(h, e)
        for block, takes_skip in zip(self.up, self.takes_skip):
            h = block(torch.cat([h, skips.pop()], 1) if takes_skip else h, e)
        return self.zero_head(F.silu(self.norm(h)))


class Unet2d(nn.Module):
    def __init__(self, case):
        super().__init__()
        self.case = case
        self.embed1 = nn.Linear(case["width"], 4 * case["width"])
        self.embed2 = nn.Linear(4 * case["width"], 4 * case["width"])
        self.trunk = Trunk(case, 4 * case["width"])

    def forward(self, x, t):
        features = position_features(t, self.case["width"], self.case["max_position"])
        e = F.silu(self.embed2(F.silu(self.embed1(features))))
        return self.trunk(x.view(-1, *self.case["extents"]), e).flatten(1)


FAMILIES = {"mlp": Mlp, "unet1d": Unet1d, "unet2d": Unet2d}
