#!/usr/bin/env python3
"""PyTorch's speed at pgad's two jobs: a training step and a search step.

    python3 bench/pytorch/train_and_search.py --mode train|search --resolution R --fmap-max M --batch B --threads T
        --seconds S [--layout nchw|channels_last] [--warmup W]
        [--device cuda [--precision fp32|tf32|bf16] [--compile] [--cuda-graphs]]

Prints one JSON line: mode, layout, ms_per_step, images_per_s (batch / step), steps, peak_rss_mb; on a GPU also
peak_device_mb (in tensors) and peak_device_reserved_mb, and the time is that of many steps between two waits for the device.

train   One full step at full size, logistic loss, mixture weighting, gamma .1:
        D: D(real) with R1 (double backward), D(G(z)), D(abnormal), Adam; G: softplus(-D(G(z))), Adam; EMA of G.
search  One step of Adam over z [B,d] on frozen, folded networks: L' (eq 24) and its gradient, cosine learning rate, z
        back on its sphere, the best z kept. No host read in the step.

The networks are those of scripts/parity/pggan_torch.py, which the parity test holds equal to pgad's. For speed: freed
memory is kept, leaky ReLU works in place, fake and abnormal images go through D together, G is not differentiated in
D's step nor D's weights in G's, Adam and EMA run over lists of tensors. Measured and left out, because it gained nothing:
convolutions with a double backward of their own (as in StyleGAN2-ADA's conv2d_gradfix).

On a GPU: cuDNN chooses its algorithms by timing them (cudnn.benchmark); --precision tf32 allows TF32 in convolutions and
products, bf16 is autocast; --compile compiles the networks, except D on real images (its penalty needs second derivatives,
which torch.compile does not give); --cuda-graphs captures a whole step once and replays it.
"""
import argparse
import contextlib
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


def no_cast():
    return contextlib.nullcontext()


class Trainer:
    def __init__(self, config, batch, layout, device="cpu", compiled=lambda f: f, in_graph=False, cast=no_cast):
        self.config, self.batch, self.device, self.cast = config, batch, device, cast
        self.G, self.D, self.ema = pt.Generator(config), pt.Discriminator(config), pt.Generator(config)
        self.ema.load_state_dict(self.G.state_dict())
        for net in (self.G, self.D, self.ema):
            net.to(device, memory_format=layout)
        self.draw, self.judge = compiled(self.G), compiled(self.D)
        adam = dict(lr=1e-3, betas=(0.0, 0.99), eps=1e-8, foreach=True)
        if in_graph:
            adam["capturable"] = True
        self.opt_g, self.opt_d = torch.optim.Adam(self.G.parameters(), **adam), torch.optim.Adam(self.D.parameters(), **adam)
        self.ema_params, self.g_params = list(self.ema.parameters()), list(self.G.parameters())
        self.decay = 0.5 ** (batch / 10_000)
        shape = (batch, config.channels, config.resolution, config.resolution)
        self.real, self.abnormal = ((torch.rand(shape, device=device) * 2 - 1).to(memory_format=layout) for _ in range(2))

    def prepare(self):
        pass

    def latents(self):
        return torch.rand(self.batch, self.config.latent_size, device=self.device) * 2 - 1

    def step(self):
        D, gamma = self.D, 0.1
        D.requires_grad_(True)
        with self.cast():
            with torch.no_grad():
                fake = self.draw(self.latents()).to(self.abnormal.dtype)
            real = self.real.detach().requires_grad_(True)
            d_real = D(real)
            (g,) = torch.autograd.grad(d_real.sum(), real, create_graph=True)
            r1 = g.square().sum(dim=(1, 2, 3)).mean()
            d_fake, d_abnormal = self.judge(torch.cat([fake, self.abnormal]), batches=2).chunk(2)
            loss = F.softplus(-d_real).mean() + gamma * F.softplus(d_fake).mean() + (1 - gamma) * F.softplus(d_abnormal).mean() + 0.5 * r1
        self.opt_d.zero_grad(set_to_none=True)
        loss.backward()
        self.opt_d.step()

        D.requires_grad_(False)
        self.opt_g.zero_grad(set_to_none=True)
        with self.cast():
            g_loss = F.softplus(-self.judge(self.draw(self.latents()))).mean()
        g_loss.backward()
        self.opt_g.step()
        with torch.no_grad():
            torch._foreach_mul_(self.ema_params, self.decay)
            torch._foreach_add_(self.ema_params, self.g_params, alpha=1 - self.decay)


class Searcher:
    def __init__(self, config, batch, layout, device="cpu", compiled=lambda f: f, in_graph=False, cast=no_cast, steps=500, lr=0.1):
        self.G, self.D = (kind(config).fold().requires_grad_(False).to(device, memory_format=layout) for kind in (pt.Generator, pt.Discriminator))
        shape = (batch, config.channels, config.resolution, config.resolution)
        self.cast = cast
        self.query = (torch.rand(shape, device=device) * 2 - 1).to(memory_format=layout)
        with torch.no_grad(), cast():
            self.query_feature = self.D.features(self.query)
        self.radius = math.sqrt(config.latent_size)
        z = torch.rand(batch, config.latent_size, device=device) * 2 - 1
        self.z = (z * (self.radius / z.norm(dim=1, keepdim=True))).requires_grad_(True)
        self.m, self.v = torch.zeros_like(z), torch.zeros_like(z)
        self.best_z, self.best_loss = self.z.detach().clone(), torch.full((batch,), math.inf, device=device)
        self.steps, self.lr, self.t = steps, lr, 0
        self.loss = pt.SearchLoss()
        self.terms = compiled(lambda z: pt.search_terms(self.G, self.D, self.loss, self.query, self.query_feature, z, 0.4)["loss"])
        # A captured step reads these from the device: z -= rates[0] m / (sqrt(v / rates[1]) + epsilon).
        self.rates = torch.zeros(2, device=device) if in_graph else None

    def prepare(self):
        """The part of a step that isn't captured: its numbers."""
        self.t = self.t % self.steps + 1
        b1, b2 = 0.9, 0.999
        lr = self.lr * 0.5 * (1 + math.cos(math.pi * (self.t - 1) / self.steps))
        self.numbers = lr / (1 - b1**self.t), 1 - b2**self.t
        if self.rates is not None:
            self.rates.copy_(torch.tensor(self.numbers), non_blocking=True)

    def step(self):
        z = self.z
        with self.cast():
            loss = self.terms(z)
        (g,) = torch.autograd.grad(loss.sum(), z)
        with torch.no_grad():
            better = loss < self.best_loss
            self.best_loss.copy_(torch.where(better, loss, self.best_loss))
            self.best_z.copy_(torch.where(better[:, None], z, self.best_z))
            b1, b2 = 0.9, 0.999
            self.m.lerp_(g, 1 - b1)
            self.v.mul_(b2).addcmul_(g, g, value=1 - b2)
            rate, correction = self.numbers if self.rates is None else self.rates
            root = (self.v / correction).sqrt_().add_(1e-8)
            if self.rates is None:
                z.addcdiv_(self.m, root, value=-rate)
            else:
                z.sub_(rate * self.m / root)
            z.mul_(self.radius / z.norm(dim=1, keepdim=True))


def capture(job):
    """A function that replays one captured step. The steps before the capture, on a stream of their own, let libraries
    choose algorithms and optimizers make their state."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(5):
            job.prepare()
            job.step()
    torch.cuda.current_stream().wait_stream(stream)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    job.prepare()
    with torch.cuda.graph(graph):
        job.step()
    return graph.replay


def set_up(threads, precision):
    """What holds for the whole process."""
    keep_freed_memory()
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision != "fp32"


def measure(a):
    """The result of one job, whose options are main's."""
    on_gpu = a.device == "cuda"
    # A cast that is kept in autocast's cache would not be repeated by a replayed step.
    cast = (lambda: torch.autocast("cuda", torch.bfloat16, cache_enabled=not a.cuda_graphs)) if a.precision == "bf16" else no_cast
    config = pt.NetConfig.from_sizes(a.resolution, a.channels, fmap_max=a.fmap_max)
    layout = torch.channels_last if a.layout == "channels_last" else torch.contiguous_format
    compiled = (lambda f: torch.compile(f, dynamic=False)) if a.compile else (lambda f: f)
    job = (Trainer if a.mode == "train" else Searcher)(config, a.batch, layout, a.device, compiled, a.cuda_graphs, cast)
    wait = torch.cuda.synchronize if on_gpu else (lambda: None)
    step = capture(job) if a.cuda_graphs else job.step

    def run_for(seconds, least):
        """Steps in groups of `least` with a wait for the device after each (on the CPU one by one from there on)."""
        wait()
        steps, start, cpu = 0, time.perf_counter(), time.process_time()
        while steps < least or time.perf_counter() - start < seconds:
            for _ in range(least if on_gpu else 1):
                job.prepare()
                step()
                steps += 1
            wait()
        return steps, time.perf_counter() - start, time.process_time() - cpu

    run_for(a.warmup, 3)
    if a.profile:
        with torch.profiler.profile() as prof:
            run_for(0, 5)
        print(prof.key_averages().table(sort_by="self_cuda_time_total" if on_gpu else "self_cpu_time_total", row_limit=25))
        return None
    steps, elapsed, cpu = run_for(a.seconds, 10 if on_gpu else 3)
    device = {}
    if on_gpu:
        device = {"device": torch.cuda.get_device_name(), "precision": a.precision, "compile": a.compile, "cuda_graphs": a.cuda_graphs,
                  "peak_device_mb": torch.cuda.max_memory_allocated() / 2**20,
                  "peak_device_reserved_mb": torch.cuda.max_memory_reserved() / 2**20}
    return {"program": "pytorch", "mode": a.mode, "layout": a.layout, "resolution": a.resolution, "fmap_max": a.fmap_max,
            "batch": a.batch, "threads": a.threads, "steps": steps, "ms_per_step": 1e3 * elapsed / steps,
            "cpu_ms_per_step": 1e3 * cpu / steps, "images_per_s": a.batch * steps / elapsed,
            "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, **device}


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
    p.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    p.add_argument("--precision", choices=("fp32", "tf32", "bf16"), default="fp32", help="of convolutions and products on a GPU")
    p.add_argument("--compile", action="store_true", help="torch.compile")
    p.add_argument("--cuda-graphs", action="store_true", help="capture the step, replay it")
    p.add_argument("--profile", action="store_true")
    a = p.parse_args()
    on_gpu = a.device == "cuda"
    if not on_gpu and (a.cuda_graphs or a.precision != "fp32"):
        p.error("--cuda-graphs and --precision need --device cuda")
    if on_gpu and not torch.cuda.is_available():
        sys.exit("--device cuda: this PyTorch finds no GPU")
    if a.compile and not hasattr(torch, "compile"):
        sys.exit(f"--compile: PyTorch {torch.__version__} has no torch.compile")
    set_up(a.threads, a.precision)
    result = measure(a)
    if result:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
