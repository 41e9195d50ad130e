"""The networks and objectives of pgad once more, in PyTorch: an oracle for tests and a peer for benchmarks.

Written from the formulas of docs/method.md and the PGGAN paper, not from pgad's C++ code, and in no way a part of
the product. NCHW. Every source of randomness is an argument, so that both sides can be fed the same numbers.

Conventions
  level  log2 of the current side: 2 = 4x4, 3 = 8x8, ...
  alpha  weight of the OLD path of a fade, lod - floor(lod): 1 at its start, 0 when it is over or none is running
  images are what D sees: at the current size and, while fading, already faded (`fade_images`)
"""
import math
import re
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

LRELU_SLOPE = 0.2
EPS = 1e-8
SQRT2 = math.sqrt(2.0)


@dataclass(frozen=True)
class NetConfig:
    resolution: int
    channels: int
    latent_size: int
    maps: tuple  # maps[s] = nf(s); maps[0] is not used

    @staticmethod
    def from_sizes(resolution, channels, fmap_max=512, fmap_base=8192, latent_size=0):
        top = int(math.log2(resolution))
        if resolution != 1 << top or top < 3:
            raise ValueError(f"resolution {resolution} is not a power of two from 8")
        maps = tuple(min(fmap_base >> s, fmap_max) for s in range(top))
        return NetConfig(resolution, channels, latent_size or fmap_max, maps)

    @staticmethod
    def from_tensors(shapes):
        """Reads the sizes off the shapes of the tensors of a model file (name -> shape)."""
        sides = sorted(int(m[1]) for n in shapes if (m := re.fullmatch(r"g\.(\d+)x\1\.to_rgb\.weight", n)))
        if not sides or sides != [1 << r for r in range(2, len(sides) + 2)]:
            raise ValueError(f"the g.RxR.to_rgb.weight tensors name the sides {sides}")
        maps = [0] + [shapes[f"g.{s}x{s}.to_rgb.weight"][1] for s in sides]  # the block at side 2^r has nf(r-1) maps
        return NetConfig(sides[-1], shapes["g.4x4.to_rgb.weight"][0], shapes["g.dense.weight"][1], tuple(maps))

    @property
    def top_level(self):
        return len(self.maps)

    def maps_at(self, level):
        return self.maps[level - 1]


def leaky_relu(x):
    """In place: its derivative, of any order, can be read off its result, and nobody else needs its argument."""
    return F.leaky_relu(x, LRELU_SLOPE, inplace=True)


def pixel_norm(x):
    """Over channels; of a [N, d] latent: over d."""
    return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + EPS)


def upsample2x(x):
    return F.interpolate(x, scale_factor=2, mode="nearest")


def pool2x(x):
    return F.avg_pool2d(x, 2)


def mix(new, old, alpha):
    return new + (old - new) * alpha


def fade_images(x, alpha):
    """What the fade does to training images, real and abnormal alike."""
    return mix(x, upsample2x(pool2x(x)), alpha) if alpha > 0 else x


def stddev_groups(n):
    """Size of a minibatch-stddev group: the largest divisor of n up to 4."""
    return next(g for g in (4, 3, 2, 1) if n % g == 0)


def minibatch_stddev(x):
    """The statistic of each group, [M]; group m holds the samples m, m+M, m+2M, ..."""
    n = x.shape[0]
    group = stddev_groups(n)
    y = x.reshape(group, n // group, -1)
    variance = (y - y.mean(dim=0)).square().mean(dim=0)
    return torch.sqrt(variance + EPS).mean(dim=1)


class Equalized(nn.Module):
    """A weight drawn from N(0,1) and multiplied by gain/sqrt(fan_in) when used; a bias that starts at 0."""

    def __init__(self, shape, gain, bias_size):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(shape))
        self.bias = nn.Parameter(torch.zeros(bias_size))
        self.scale = gain / math.sqrt(math.prod(shape[1:]))

    def scaled_weight(self):
        return self.weight if self.scale == 1.0 else self.weight * self.scale

    @torch.no_grad()
    def fold(self):
        """Multiplies the factor into the weight for good: for networks that are not trained any more."""
        self.weight.mul_(self.scale)
        self.scale = 1.0


class Conv(Equalized):
    def __init__(self, c_in, c_out, size, gain=SQRT2):
        super().__init__((c_out, c_in, size, size), gain, c_out)
        self.padding = size // 2

    def forward(self, x):
        return F.conv2d(x, self.scaled_weight(), self.bias, padding=self.padding)


class Dense(Equalized):
    def __init__(self, c_in, c_out, gain=SQRT2):
        super().__init__((c_out, c_in), gain, c_out)

    def forward(self, x):
        return F.linear(x, self.scaled_weight(), self.bias)


class LatentDense(Equalized):
    """z [N,d] -> [N,nf,4,4]; the bias is one number per feature map."""

    def __init__(self, latent, maps):
        super().__init__((16 * maps, latent), SQRT2 / 4, maps)

    def forward(self, z):
        x = F.linear(z, self.scaled_weight())
        return x.reshape(z.shape[0], -1, 4, 4) + self.bias.reshape(1, -1, 1, 1)


def _side(level):
    return f"{1 << level}x{1 << level}"


class Network(nn.Module):
    """Blocks are child modules named by their side, so that state_dict() has the names of the model file."""

    def __init__(self, config):
        super().__init__()
        self.config = config

    def block(self, level):
        return self._modules[_side(level)]

    def fold(self):
        for m in self.modules():
            if isinstance(m, Equalized):
                m.fold()
        return self


class Generator(Network):
    def __init__(self, config):
        super().__init__(config)
        self.dense = LatentDense(config.latent_size, config.maps_at(2))
        self.add_module("4x4", nn.ModuleDict({"conv": Conv(config.maps_at(2), config.maps_at(2), 3)}))
        for level in range(3, config.top_level + 1):
            c_in, c_out = config.maps_at(level - 1), config.maps_at(level)
            self.add_module(_side(level), nn.ModuleDict({"conv0": Conv(c_in, c_out, 3), "conv1": Conv(c_out, c_out, 3)}))
        for level in range(2, config.top_level + 1):
            self.block(level)["to_rgb"] = Conv(config.maps_at(level), config.channels, 1, gain=1.0)

    def forward(self, z, level=None, alpha=0.0):
        level = level or self.config.top_level
        x = pixel_norm(leaky_relu(self.dense(pixel_norm(z))))
        x = pixel_norm(leaky_relu(self.block(2)["conv"](x)))
        old = None
        for r in range(3, level + 1):
            old, x = x, upsample2x(x)
            for name in ("conv0", "conv1"):
                x = pixel_norm(leaky_relu(self.block(r)[name](x)))
        image = self.block(level)["to_rgb"](x)
        if alpha > 0:
            image = mix(image, upsample2x(self.block(level - 1)["to_rgb"](old)), alpha)
        return image


class Discriminator(Network):
    def __init__(self, config):
        super().__init__(config)
        nf = config.maps_at(2)
        self.add_module("4x4", nn.ModuleDict({"from_rgb": Conv(config.channels, nf, 1), "conv": Conv(nf + 1, nf, 3),
                                              "dense0": Dense(16 * nf, nf), "dense1": Dense(nf, 1, gain=1.0)}))
        for level in range(3, config.top_level + 1):
            c = config.maps_at(level)
            self.add_module(_side(level), nn.ModuleDict({"from_rgb": Conv(config.channels, c, 1), "conv0": Conv(c, c, 3),
                                                         "conv1": Conv(c, config.maps_at(level - 1), 3)}))

    def from_rgb(self, x, level):
        return leaky_relu(self.block(level)["from_rgb"](x))

    def features(self, image, level=None, alpha=0.0):
        """f: the last 4x4 map, before minibatch-stddev."""
        level = level or self.config.top_level
        x = self.from_rgb(image, level)
        for r in range(level, 2, -1):
            x = leaky_relu(self.block(r)["conv0"](x))
            x = pool2x(leaky_relu(self.block(r)["conv1"](x)))
            if r == level and alpha > 0:
                x = mix(x, self.from_rgb(pool2x(image), level - 1), alpha)
        return x

    def critic(self, feature, mbstd=None, batches=1):
        """D's value [N] for f. mbstd: the extra channel as a constant. batches: f holds that many equal batches one
        after the other, each with its own minibatch-stddev."""
        n, block = feature.shape[0], self.block(2)
        if mbstd is None:
            stats = [minibatch_stddev(f).repeat(stddev_groups(n // batches)) for f in feature.chunk(batches)]
            stat = torch.cat(stats).reshape(n, 1, 1, 1)
        else:
            stat = feature.new_full((n, 1, 1, 1), mbstd)
        x = torch.cat([feature, stat.expand(n, 1, 4, 4)], dim=1)
        x = leaky_relu(block["conv"](x))
        x = leaky_relu(block["dense0"](x.flatten(1)))
        return block["dense1"](x).squeeze(1)

    def forward(self, image, level=None, alpha=0.0, mbstd=None, batches=1):
        return self.critic(self.features(image, level, alpha), mbstd, batches)


def load_networks(tensors, dtype=torch.float32):
    """G and D from the tensors of a model file (numpy). Names other than g.* and d.* are left alone."""
    config = NetConfig.from_tensors({k: v.shape for k, v in tensors.items()})
    nets = []
    for prefix, kind in (("g.", Generator), ("d.", Discriminator)):
        net = kind(config).to(dtype)
        state = {k[len(prefix):]: torch.from_numpy(v).to(dtype) for k, v in tensors.items() if k.startswith(prefix)}
        net.load_state_dict(state)  # strict: a missing, surplus or misshapen tensor throws
        nets.append(net)
    return tuple(nets)


# --- objectives ------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Objective:
    loss: str = "logistic"       # or "wgan-gp"
    weighting: str = "mixture"   # real 1, fake gamma, abnormal 1 - gamma; "eq15": real gamma too
    gamma: float = 0.1
    r1_weight: float = 1.0
    gp_weight: float = 10.0
    gp_target: float = 1.0
    drift: float = 0.001


def squared_gradient_norms(value, image, create_graph):
    """||d sum(value) / d image_n||^2 per sample, [N]. (D's values share minibatch statistics: the sum is part of the definition.)"""
    (g,) = torch.autograd.grad(value.sum(), image, create_graph=create_graph)
    return g.square().sum(dim=(1, 2, 3))


def r1_norms(D, real, level, alpha, create_graph=False):
    real = real.detach().requires_grad_(True)
    return squared_gradient_norms(D(real, level, alpha), real, create_graph)


def interpolate(real, fake, abnormal, u, pick):
    """x_hat = lerp(real, pick ? fake : abnormal, u), u and pick one number per sample."""
    u, pick = u.reshape(-1, 1, 1, 1), pick.reshape(-1, 1, 1, 1)
    return mix(real, torch.where(pick > 0.5, fake, abnormal), u)


def gp_norms(D, x_hat, level, alpha, create_graph=False):
    """The gradient's norm per sample as the penalty sees it: eps inside the root, measured at full size, which is
    the norm at the current size divided by 2^floor(lod), floor(lod) = top level - level."""
    x_hat = x_hat.detach().requires_grad_(True)
    norms = torch.sqrt(squared_gradient_norms(D(x_hat, level, alpha), x_hat, create_graph) + EPS)
    return norms / 2.0 ** (D.config.top_level - level)


def d_terms(D, o, real, fake, abnormal, u, pick, level, alpha):
    """The summands of D's loss. Penalties and drift keep their weights whatever the weighting."""
    real_weight = o.gamma if o.weighting == "eq15" else 1.0
    d_fake, d_abnormal = D(fake, level, alpha), D(abnormal, level, alpha)
    if o.loss == "logistic":
        real = real.detach().requires_grad_(True)
        d_real = D(real, level, alpha)
        return {"real": real_weight * F.softplus(-d_real).mean(),
                "fake": o.gamma * F.softplus(d_fake).mean(),
                "abnormal": (1 - o.gamma) * F.softplus(d_abnormal).mean(),
                "r1": o.r1_weight / 2 * squared_gradient_norms(d_real, real, True).mean()}
    d_real = D(real, level, alpha)
    norms = gp_norms(D, interpolate(real, fake, abnormal, u, pick), level, alpha, True)
    return {"real": -real_weight * d_real.mean(),
            "fake": o.gamma * d_fake.mean(),
            "abnormal": (1 - o.gamma) * d_abnormal.mean(),
            "gp": o.gp_weight / o.gp_target**2 * (norms - o.gp_target).square().mean(),
            "drift": o.drift * d_real.square().mean()}


def g_loss(G, D, loss, z, level, alpha):
    value = D(G(z, level, alpha), level, alpha)
    return F.softplus(-value).mean() if loss == "logistic" else -value.mean()


# --- search ----------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class SearchLoss:
    gamma: float = 0.1
    lam: float = 0.1
    reduction: str = "mean"     # over all of C*H*W; or "sum"
    loss: str = "logistic"
    critic_mean: float = 0.0    # wgan-gp: where normals lie


def search_terms(G, D, s, query, query_feature, z, mbstd, level=None, alpha=0.0):
    """Per image, [N]: the paper's L' (eq 24) as `loss`, and its parts."""
    reduce = (lambda t: t.flatten(1).mean(1)) if s.reduction == "mean" else (lambda t: t.flatten(1).sum(1))
    image = G(z, level, alpha)
    feature = D.features(image, level, alpha)
    value = D.critic(feature, mbstd)
    residual = reduce((query - image).abs())
    feature_term = reduce((query_feature - feature).abs())
    critic = torch.sigmoid(-value) if s.loss == "logistic" else (value - s.critic_mean).abs()
    anomaly = (1 - s.lam) * residual + s.lam * feature_term
    return {"loss": s.gamma * anomaly + (1 - s.gamma) * critic, "residual": residual, "feature": feature_term,
            "latent_critic": critic}
