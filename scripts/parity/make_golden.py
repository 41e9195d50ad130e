#!/usr/bin/env python3
"""Makes tests/golden/*.safetensors: tiny random networks with what PyTorch says of them.

    python3 scripts/parity/make_golden.py [--out tests/golden]

Computed in float64, stored as F32; weights and inputs are exactly representable in F32. N = 8 images, NCHW; level
and alpha as in pggan_torch.py. Nothing has to be faded: input.real and input.abnormal are at the current size and are
given to D as they are.

Tensors of every file
  model.<name>             the networks, under the names of model.safetensors (g.*, d.*), raw: the factor gain/sqrt(fan_in)
                           is not in them; biases are not 0
  input.z [N,d]            uniform on [-1,1], not on the sphere
  input.real [N,C,R,R]     also the query images of the search
  output.g_out [N,C,R,R]   G(z)

kind = "train": the training objectives; D's minibatch-stddev is computed from each batch on its own
  input.abnormal [N,C,R,R], input.u [N], input.pick [N]   x_hat_n = lerp(real_n, pick_n ? g_out_n : abnormal_n, u_n)
  output.d_real [N]           D(real)
  output.d_fake [N]           D(g_out)
  output.d_real_constant [N]  D(real) with the extra channel set to the metadata's mbstd
  output.mbstd_real [N/4]     minibatch-stddev of feature_real, per strided group
  output.feature_real [N,nf(1),4,4]   f(real): before minibatch-stddev
  output.r1 [N]               ||d sum(D(real)) / d real_n||^2
  output.gp_norm [N]          sqrt(||d sum(D(x_hat)) / d x_hat_n||^2 + 1e-8) / 2^floor(lod): what is compared with gp_target
  output.<loss>.<objective>.d_loss []          <loss>: logistic, wgan-gp; <objective>: mixture, eq15
  output.<loss>.<objective>.grad.<d.* name>    for every d.* tensor; zeros where the level does not reach it
  output.<loss>.g_loss [], output.<loss>.grad.<g.* name>
  The D losses take fake = g_out as a constant.

kind = "search": frozen networks, D with the constant mbstd, query images = input.real
  output.search.loss, .residual, .feature, .latent_critic [N]   L' (eq 24, logistic) and its parts
  output.search.critic [N]    1 - sigmoid(D(real))
  output.search.grad_z [N,d]  d loss_n / d z_n, z before its PixelNorm

Metadata (all strings): kind, resolution, channels, fmap_base, fmap_max, latent_size, level, alpha, gamma, mbstd;
  train: r1_weight, gp_weight, gp_target, drift, floor_lod; search: lambda, reduction, loss.
"""
import argparse
import os
import sys

import numpy as np
import torch

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pggan_torch as pt
import safetensors_io

N = 8
CASES = {
    "train_16x16x1_stable": dict(kind="train", resolution=16, channels=1, fmap_base=32, level=4, alpha=0.0),
    "train_16x16x3_fading": dict(kind="train", resolution=16, channels=3, fmap_base=24, level=4, alpha=0.3),
    "train_16x16x1_at_8x8_fading": dict(kind="train", resolution=16, channels=1, fmap_base=24, level=3, alpha=0.75),
    "train_8x8x3_stable": dict(kind="train", resolution=8, channels=3, fmap_base=32, level=3, alpha=0.0),
    "search_16x16x1_mean": dict(kind="search", resolution=16, channels=1, fmap_base=32, level=4, alpha=0.0, reduction="mean"),
    "search_8x8x3_sum": dict(kind="search", resolution=8, channels=3, fmap_base=32, level=3, alpha=0.0, reduction="sum"),
}
OBJECTIVE = dict(gamma=0.1, r1_weight=1.5, gp_weight=10.0, gp_target=0.75, drift=0.25)  # a drift that shows: in the mixture the rest of dense1.bias's gradient cancels
FMAP_MAX, LATENT, MBSTD = 8, 8, 0.4375


def random_model(case, rng):
    config = pt.NetConfig.from_sizes(case["resolution"], case["channels"], FMAP_MAX, case["fmap_base"], LATENT)
    model = {}
    for prefix, kind in (("g.", pt.Generator), ("d.", pt.Discriminator)):
        for name, p in kind(config).state_dict().items():
            scale = 0.2 if name.endswith("bias") else 1.0
            model[prefix + name] = (scale * rng.standard_normal(tuple(p.shape))).astype(np.float32)
    return model


def random_inputs(case, rng):
    shape = (N, case["channels"], 1 << case["level"], 1 << case["level"])
    uniform = lambda *s: rng.uniform(-1, 1, s).astype(np.float32)
    inputs = {"z": uniform(N, LATENT), "real": uniform(*shape)}
    if case["kind"] == "train":
        inputs["abnormal"] = uniform(*shape)
        inputs["u"] = rng.uniform(0, 1, N).astype(np.float32)
        inputs["pick"] = np.array([1, 0, 0, 1, 1, 1, 0, 0], np.float32)
    return inputs


def named_gradients(loss, net, prefix):
    """Zeros where the loss does not depend on a tensor."""
    names, params = zip(*net.named_parameters())
    grads = torch.autograd.grad(loss, params, allow_unused=True)
    return {prefix + n: torch.zeros_like(p) if g is None else g for n, p, g in zip(names, params, grads)}


def training_outputs(G, D, inputs, level, alpha, settings, mbstd=None, fake=None):
    """inputs: z, real, abnormal, u, pick as tensors of the networks' dtype. settings: the numbers of pt.Objective.
    Returns (outputs, scales); a loss's scale is the sum of its summands' magnitudes, the yardstick for its rounding."""
    x = inputs
    out, scales = {}, {}
    with torch.no_grad():
        out["g_out"] = G(x["z"], level, alpha)
        fake = out["g_out"] if fake is None else fake
        out["feature_real"] = D.features(x["real"], level, alpha)
        out["mbstd_real"] = pt.minibatch_stddev(out["feature_real"])
        out["d_real"] = D(x["real"], level, alpha)
        out["d_fake"] = D(fake, level, alpha)
        if mbstd is not None:
            out["d_real_constant"] = D(x["real"], level, alpha, mbstd=mbstd)
    out["r1"] = pt.r1_norms(D, x["real"], level, alpha)
    out["gp_norm"] = pt.gp_norms(D, pt.interpolate(x["real"], fake, x["abnormal"], x["u"], x["pick"]), level, alpha)
    for loss in ("logistic", "wgan-gp"):
        for weighting in ("mixture", "eq15"):
            key = f"{loss}.{weighting}"
            o = pt.Objective(loss=loss, weighting=weighting, **settings)
            terms = pt.d_terms(D, o, x["real"], fake, x["abnormal"], x["u"], x["pick"], level, alpha)
            total = sum(terms.values())
            out[f"{key}.d_loss"] = total
            scales[f"{key}.d_loss"] = sum(t.abs().item() for t in terms.values())
            out.update(named_gradients(total, D, f"{key}.grad.d."))
        total = pt.g_loss(G, D, loss, x["z"], level, alpha)
        out[f"{loss}.g_loss"] = total
        scales[f"{loss}.g_loss"] = total.abs().item()
        out.update(named_gradients(total, G, f"{loss}.grad.g."))
    return {k: v.detach() for k, v in out.items()}, scales


def search_outputs(G, D, inputs, level, alpha, reduction):
    z = inputs["z"].clone().requires_grad_(True)
    query = inputs["real"]
    with torch.no_grad():
        feature = D.features(query, level, alpha)
        out = {"g_out": G(z, level, alpha), "search.critic": torch.sigmoid(-D.critic(feature, MBSTD))}
    s = pt.SearchLoss(gamma=OBJECTIVE["gamma"], lam=0.1, reduction=reduction)
    terms = pt.search_terms(G, D, s, query, feature, z, MBSTD, level, alpha)
    (out["search.grad_z"],) = torch.autograd.grad(terms["loss"].sum(), z)
    out.update({f"search.{k}": v for k, v in terms.items()})
    return {k: v.detach() for k, v in out.items()}


def compute(case, model, inputs, dtype):
    G, D = pt.load_networks(model, dtype)
    x = {k: torch.from_numpy(v).to(dtype) for k, v in inputs.items()}
    if case["kind"] == "search":
        return search_outputs(G, D, x, case["level"], case["alpha"], case["reduction"])
    return training_outputs(G, D, x, case["level"], case["alpha"], OBJECTIVE, MBSTD)[0]


def rounding(single, exact):
    """How far float32 is from float64, relative to each tensor's largest value. A draw in which rounding alone goes far
    (a PixelNorm over maps that are all near 0, an activation at its kink) tests nothing well and is drawn again."""
    worst = {"output": 0.0, "gradient": 0.0}
    for k, v in exact.items():
        kind = "gradient" if "grad" in k else "output"
        worst[kind] = max(worst[kind], ((single[k] - v).abs().max() / v.abs().max().clamp_min(1e-30)).item())
    return worst


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", default=os.path.join(here, "..", "..", "tests", "golden"))
    out_dir = parser.parse_args().out
    os.makedirs(out_dir, exist_ok=True)
    torch.set_num_threads(1)
    total = 0
    for index, (name, case) in enumerate(CASES.items()):
        for seed in range(1000 * index, 1000 * (index + 1)):
            rng = np.random.default_rng(seed)
            model, inputs = random_model(case, rng), random_inputs(case, rng)
            exact = compute(case, model, inputs, torch.float64)
            worst = rounding(compute(case, model, inputs, torch.float32), exact)
            if worst["output"] < 2e-6 and worst["gradient"] < 1e-5:
                break
        metadata = dict(kind=case["kind"], resolution=case["resolution"], channels=case["channels"], fmap_base=case["fmap_base"],
                        fmap_max=FMAP_MAX, latent_size=LATENT, level=case["level"], alpha=case["alpha"], mbstd=MBSTD,
                        gamma=OBJECTIVE["gamma"])
        if case["kind"] == "train":
            top = case["resolution"].bit_length() - 1
            metadata.update({**OBJECTIVE, "floor_lod": top - case["level"]})
        else:
            metadata.update({"lambda": 0.1, "reduction": case["reduction"], "loss": "logistic"})
        tensors = {"model." + k: v for k, v in model.items()}
        tensors.update({"input." + k: v for k, v in inputs.items()})
        tensors.update({"output." + k: v.numpy().astype(np.float32) for k, v in exact.items()})
        path = os.path.join(out_dir, name + ".safetensors")
        safetensors_io.save(path, tensors, metadata)
        size = os.path.getsize(path)
        total += size
        print(f"{name:28} {size / 1024:6.1f} KiB   seed {seed}   float32 against float64: outputs {worst['output']:.1e}, gradients {worst['gradient']:.1e}")
    print(f"{'together':28} {total / 1024:6.1f} KiB")


if __name__ == "__main__":
    main()
