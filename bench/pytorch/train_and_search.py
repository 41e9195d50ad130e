#!/usr/bin/env python3
"""PyTorch's speed at pgad's two jobs: a training step and a search step.

    python3 bench/pytorch/train_and_search.py --mode train|search --resolution R --fmap-max M --batch B --threads T
        --seconds S [--layout nchw|channels_last] [--warmup W]

Prints one JSON line: mode, layout, ms_per_step, images_per_s (batch / step), steps, peak_rss_mb.

train   One full step at full size, logistic loss, mixture weighting, gamma .1:
        D: D(real) with R1 (double backward), D(G(z)), D(abnormal), Adam; G: softplus(-D(G(z))), Adam; EMA of G.
search  One step of Adam over z [B,d] on frozen, folded networks: L' (eq 24) and its gradient, cosine learning rate, z
        back on its sphere, the best z kept. No host read in the step.

The networks are those of scripts/parity/pggan_torch.py, which the parity test holds equal to pgad's. For speed: freed
memory is kept, leaky ReLU works in place, fake and abnormal images go through D together, G is not differentiated in
D's step nor D's weights in G's, Adam and EMA run over lists of tensors. Measured and left out, because it gained nothing:
convolutions with a double backward of their own (as in StyleGAN2-ADA's conv2d_gradfix).
"""
import argparse
import ctypes
import json
import math
import os
import resource
import sys
import time

import torch
import torch.nn.functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts", "parity"))
import pggan_torch as pt


def keep_freed_memory():
    """Makes glibc reuse freed blocks instead of returning them to the system. Its default costs a page fault per 4 KiB of
    every large activation; without them a step is about twice as fast. (The usual advice is jemalloc or tcmalloc.)"""
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    m_trim_threshold, m_top_pad, m_mmap_max = -1, -2, -4
    mallopt(m_mmap_max, 0)
    mallopt(m_trim_threshold, 2**31 - 1)
    mallopt(m_top_pad, 64 << 20)


class Trainer:
    def __init__(self, config, batch, layout):
        self.config, self.batch = config, batch
        self.G, self.D, self.ema = pt.Generator(config), pt.Discriminator(config), pt.Generator(config)
        self.ema.load_state_dict(self.G.state_dict())
        for net in (self.G, self.D, self.ema):
            net.to(memory_format=layout)
        adam = dict(lr=1e-3, betas=(0.0, 0.99), eps=1e-8, foreach=True)
        self.opt_g, self.opt_d = torch.optim.Adam(self.G.parameters(), **adam), torch.optim.Adam(self.D.parameters(), **adam)
        self.ema_params, self.g_params = list(self.ema.parameters()), list(self.G.parameters())
        self.decay = 0.5 ** (batch / 10_000)
        shape = (batch, config.channels, config.resolution, config.resolution)
        self.real, self.abnormal = ((torch.rand(shape) * 2 - 1).to(memory_format=layout) for _ in range(2))

    def latents(self):
        return torch.rand(self.batch, self.config.latent_size) * 2 - 1

    def step(self):
        G, D, gamma = self.G, self.D, 0.1
        D.requires_grad_(True)
        with torch.no_grad():
            fake = G(self.latents())
        real = self.real.detach().requires_grad_(True)
        d_real = D(real)
        (g,) = torch.autograd.grad(d_real.sum(), real, create_graph=True)
        r1 = g.square().sum(dim=(1, 2, 3)).mean()
        d_fake, d_abnormal = D(torch.cat([fake, self.abnormal]), batches=2).chunk(2)
        loss = F.softplus(-d_real).mean() + gamma * F.softplus(d_fake).mean() + (1 - gamma) * F.softplus(d_abnormal).mean() + 0.5 * r1
        self.opt_d.zero_grad(set_to_none=True)
        loss.backward()
        self.opt_d.step()

        D.requires_grad_(False)
        self.opt_g.zero_grad(set_to_none=True)
        F.softplus(-D(G(self.latents()))).mean().backward()
        self.opt_g.step()
        with torch.no_grad():
            torch._foreach_mul_(self.ema_params, self.decay)
            torch._foreach_add_(self.ema_params, self.g_params, alpha=1 - self.decay)


class Searcher:
    def __init__(self, config, batch, layout, steps=500, lr=0.1):
        self.G, self.D = (kind(config).fold().requires_grad_(False).to(memory_format=layout) for kind in (pt.Generator, pt.Discriminator))
        shape = (batch, config.channels, config.resolution, config.resolution)
        self.query = (torch.rand(shape) * 2 - 1).to(memory_format=layout)
        with torch.no_grad():
            self.query_feature = self.D.features(self.query)
        self.radius = math.sqrt(config.latent_size)
        z = torch.rand(batch, config.latent_size) * 2 - 1
        self.z = (z * (self.radius / z.norm(dim=1, keepdim=True))).requires_grad_(True)
        self.m, self.v = torch.zeros_like(z), torch.zeros_like(z)
        self.best_z, self.best_loss = self.z.detach().clone(), torch.full((batch,), math.inf)
        self.steps, self.lr, self.t = steps, lr, 0
        self.loss = pt.SearchLoss()

    def step(self):
        z = self.z
        loss = pt.search_terms(self.G, self.D, self.loss, self.query, self.query_feature, z, 0.4)["loss"]
        (g,) = torch.autograd.grad(loss.sum(), z)
        with torch.no_grad():
            better = loss < self.best_loss
            self.best_loss = torch.where(better, loss, self.best_loss)
            self.best_z = torch.where(better[:, None], z, self.best_z)
            self.t = self.t % self.steps + 1
            b1, b2 = 0.9, 0.999
            lr = self.lr * 0.5 * (1 + math.cos(math.pi * (self.t - 1) / self.steps))
            self.m.lerp_(g, 1 - b1)
            self.v.mul_(b2).addcmul_(g, g, value=1 - b2)
            z.addcdiv_(self.m, (self.v / (1 - b2**self.t)).sqrt_().add_(1e-8), value=-lr / (1 - b1**self.t))
            z.mul_(self.radius / z.norm(dim=1, keepdim=True))


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--mode", choices=("train", "search"), required=True)
    p.add_argument("--resolution", type=int, default=32)
    p.add_argument("--channels", type=int, default=1)
    p.add_argument("--fmap-max", type=int, default=32)
    p.add_argument("--batch", type=int, default=16)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--seconds", type=float, default=5)
    p.add_argument("--warmup", type=float, default=1.5)
    p.add_argument("--layout", choices=("nchw", "channels_last"), default="channels_last")
    p.add_argument("--profile", action="store_true")
    a = p.parse_args()
    keep_freed_memory()
    torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    config = pt.NetConfig.from_sizes(a.resolution, a.channels, fmap_max=a.fmap_max)
    layout = torch.channels_last if a.layout == "channels_last" else torch.contiguous_format
    job = (Trainer if a.mode == "train" else Searcher)(config, a.batch, layout)

    def run_for(seconds, least):
        steps, start, cpu = 0, time.perf_counter(), time.process_time()
        while steps < least or time.perf_counter() - start < seconds:
            job.step()
            steps += 1
        return steps, time.perf_counter() - start, time.process_time() - cpu

    run_for(a.warmup, 3)
    if a.profile:
        with torch.profiler.profile() as prof:
            for _ in range(5):
                job.step()
        print(prof.key_averages().table(sort_by="self_cpu_time_total", row_limit=25))
        return
    steps, elapsed, cpu = run_for(a.seconds, 3)
    print(json.dumps({"program": "pytorch", "mode": a.mode, "layout": a.layout, "resolution": a.resolution, "fmap_max": a.fmap_max,
                      "batch": a.batch, "threads": a.threads, "steps": steps, "ms_per_step": 1e3 * elapsed / steps,
                      "cpu_ms_per_step": 1e3 * cpu / steps,
                      "images_per_s": a.batch * steps / elapsed,
                      "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    main()
