#!/usr/bin/env python3
"""Checks the oracle itself: sizes against the published ones, second-order gradients against finite differences.

    python3 scripts/parity/test_pggan_torch.py
"""
import os
import sys
import tempfile
import unittest

import numpy as np
import torch

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pggan_torch as pt
import safetensors_io

DOUBLE = torch.float64


def tiny(seed, channels=2, resolution=16):
    torch.manual_seed(seed)
    config = pt.NetConfig.from_sizes(resolution, channels, fmap_max=8, fmap_base=24, latent_size=8)
    G, D = pt.Generator(config).to(DOUBLE), pt.Discriminator(config).to(DOUBLE)
    for net in (G, D):
        for name, p in net.named_parameters():
            if name.endswith("bias"):
                p.data.normal_(0, 0.2)
    return G, D


def batch(config, level, n=8):
    side = 1 << level
    real, abnormal = (torch.rand(n, config.channels, side, side, dtype=DOUBLE) * 2 - 1 for _ in range(2))
    z = torch.rand(n, config.latent_size, dtype=DOUBLE) * 2 - 1
    return real, abnormal, z, torch.rand(n, dtype=DOUBLE), (torch.rand(n) < 0.5).to(DOUBLE)


class Sizes(unittest.TestCase):
    def test_published_parameter_counts(self):
        for resolution, channels, g_count, d_count in ((32, 1, 20_715_524, 20_722_689), (64, 1, 22_485_765, 22_493_441),
                                                       (128, 3, 22_933_394, 22_941_313), (1024, 3, 23_079_115, 23_087_249)):
            config = pt.NetConfig.from_sizes(resolution, channels)
            self.assertEqual(sum(p.numel() for p in pt.Generator(config).parameters()), g_count)
            self.assertEqual(sum(p.numel() for p in pt.Discriminator(config).parameters()), d_count)

    def test_config_from_tensors(self):
        G, D = tiny(0)
        shapes = {**{f"g.{k}": v.shape for k, v in G.state_dict().items()}, **{f"d.{k}": v.shape for k, v in D.state_dict().items()}}
        self.assertEqual(pt.NetConfig.from_tensors(shapes).maps[1:], G.config.maps[1:])
        self.assertIn("g.16x16.conv0.weight", shapes)
        self.assertIn("d.4x4.dense1.bias", shapes)


class Layers(unittest.TestCase):
    def test_minibatch_stddev_by_loops(self):
        for n, group in ((8, 4), (6, 3), (4, 4), (2, 2), (1, 1), (7, 1)):
            x = torch.randn(n, 3, 4, 4, dtype=DOUBLE)
            m = n // group
            got = pt.minibatch_stddev(x).repeat(group)
            for i in range(n):
                members = x[[j for j in range(n) if j % m == i % m]].numpy()
                want = np.sqrt(members.var(axis=0) + 1e-8).mean()
                self.assertAlmostEqual(got[i].item(), want, places=12)

    def test_fold_changes_nothing(self):
        G, D = tiny(1)
        z = torch.randn(4, 8, dtype=DOUBLE)
        before = D(G(z, 4, 0.25), 4, 0.25)
        G.fold(), D.fold()
        self.assertLess((D(G(z, 4, 0.25), 4, 0.25) - before).abs().max().item(), 1e-12)

    def test_end_of_a_fade_is_the_grown_network_and_its_start_the_old_one(self):
        G, D = tiny(2)
        z = torch.randn(4, 8, dtype=DOUBLE)
        self.assertLess((G(z, 4, 1.0) - pt.upsample2x(G(z, 3, 0.0))).abs().max().item(), 1e-12)
        x = torch.randn(4, 2, 16, 16, dtype=DOUBLE)
        self.assertLess((D(x, 4, 1.0) - D(pt.pool2x(x), 3, 0.0)).abs().max().item(), 1e-12)
        self.assertLess((D(x, 4, 1e-12) - D(x, 4, 0.0)).abs().max().item(), 1e-9)

    def test_batches_are_apart(self):
        _, D = tiny(3)
        a, b = torch.randn(2, 8, 2, 16, 16, dtype=DOUBLE)
        both = D(torch.cat([a, b]), batches=2)
        self.assertLess((both - torch.cat([D(a), D(b)])).abs().max().item(), 1e-12)


class Gradients(unittest.TestCase):
    """Directional derivatives of the whole loss, penalty included, by central differences in double."""

    def check(self, loss_of, params, tolerance=1e-5):
        grads = torch.autograd.grad(loss_of(), params, allow_unused=True)
        worst = 0.0
        for k in range(4):
            # The first direction moves everything, the others one tensor at a time.
            one = None if k == 0 else (7 * k) % len(params)
            steps = [torch.randn_like(p) if one is None or i == one else torch.zeros_like(p) for i, p in enumerate(params)]
            analytic = sum((g * s).sum().item() for g, s in zip(grads, steps) if g is not None)
            error = np.inf
            for h in (1e-7, 1e-8):  # a leaky ReLU that changes sides within h spoils one, a wrong gradient both
                values = []
                for move in (h, -2 * h, h):
                    with torch.no_grad():
                        for p, s in zip(params, steps):
                            p.add_(s, alpha=move)
                    values.append(loss_of().item())
                numeric = (values[0] - values[1]) / (2 * h)
                error = min(error, abs(numeric - analytic) / max(abs(analytic), 1e-2))
            worst = max(worst, error)
        self.assertLess(worst, tolerance)
        return worst

    def test_discriminator_losses(self):
        for loss in ("logistic", "wgan-gp"):
            for weighting in ("mixture", "eq15"):
                for level, alpha in ((4, 0.0), (4, 0.3), (3, 0.75), (2, 0.0)):
                    G, D = tiny(level)
                    real, abnormal, z, u, pick = batch(G.config, level)
                    fake = G(z, level, alpha).detach()
                    o = pt.Objective(loss=loss, weighting=weighting, r1_weight=3.0)
                    f = lambda: sum(pt.d_terms(D, o, real, fake, abnormal, u, pick, level, alpha).values())
                    worst = self.check(f, list(D.parameters()))
                    print(f"{loss:9} {weighting:8} level {level} alpha {alpha}: worst {worst:.1e}")

    def test_generator_and_search(self):
        G, D = tiny(5)
        real, _, z, _, _ = batch(G.config, 4)
        for loss in ("logistic", "wgan-gp"):
            self.check(lambda: pt.g_loss(G, D, loss, z, 4, 0.3), list(G.parameters()))
        z.requires_grad_(True)
        query_feature = D.features(real).detach()
        self.check(lambda: pt.search_terms(G, D, pt.SearchLoss(), real, query_feature, z, 0.4)["loss"].sum(), [z])


class Files(unittest.TestCase):
    def test_round_trip(self):
        tensors = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.float32(2.5), "c": np.zeros((0, 3), np.float64)}
        with tempfile.TemporaryDirectory() as d:
            safetensors_io.save(d + "/x", tensors, {"alpha": 0.3})
            back, metadata = safetensors_io.load(d + "/x")
        self.assertEqual(metadata, {"alpha": "0.3"})
        for k, v in tensors.items():
            self.assertEqual(back[k].shape, np.shape(v))
            np.testing.assert_array_equal(back[k], v)


if __name__ == "__main__":
    torch.set_num_threads(1)
    unittest.main()
