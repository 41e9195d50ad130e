#!/usr/bin/env python3
"""Times PyTorch at many steps in one process, for a machine that is lent for minutes: starting it and its libraries
takes longer than most measurements. (compare.py takes turns with pgad in fresh processes, which is fairer.)

    python3 bench/pytorch/one_process.py [--configs 32,256-train] [--device cuda] [--precision bf16]
        [--variants eager,graphs] [--seconds 1] [--limit 120]

Prints the JSON lines of train_and_search.py, with "name" and "variant", each as soon as it is known; where one fails, a
line with "failed" instead. First all configurations in the first variant, then in the next. None is begun after --limit
seconds. Exit status: 0 something was measured, 1 nothing was.

    python3 bench/pytorch/one_process.py --table PGAD_LINES PYTORCH_LINES

prints pgad's lines (of step_bench) beside PyTorch's best of the same step, as a table in Markdown.
"""
import argparse
import gc
import json
import os
import sys
import time

from configs import CONFIGS, MODES


def read_lines(path):
    with open(path) as f:
        return [json.loads(line) for line in f if line.startswith("{")]


def table(pgad_lines, pytorch_lines):
    key = lambda r: (r["mode"], r["resolution"], r["fmap_max"], r["batch"])
    theirs = {}
    for r in pytorch_lines:
        if "failed" not in r and ("pgad" not in r.get("program", "")) and (key(r) not in theirs or r["ms_per_step"] < theirs[key(r)]["ms_per_step"]):
            theirs[key(r)] = r
    lines = ["| step | side | maps | batch | precision | pgad ms | PyTorch ms | variant | PyTorch's time over pgad's | pgad MB | PyTorch MB |",
             "|---|---|---|---|---|---|---|---|---|---|---|"]
    for r in pgad_lines:
        other = theirs.get(key(r))
        cells = [r["mode"], r["resolution"], r["fmap_max"], r["batch"], r["precision"] + (", tuned" if r.get("tuned") else ""), f"{r['ms_per_step']:.2f}"]
        cells += [f"{other['ms_per_step']:.2f}", other["variant"], f"{other['ms_per_step'] / r['ms_per_step']:.2f}"] if other else ["", "", ""]
        cells += [f"{r['peak_device_reserved_mb']:.0f}" if "peak_device_reserved_mb" in r else "",
                  f"{other['peak_device_reserved_mb']:.0f}" if other and "peak_device_reserved_mb" in other else ""]
        lines.append("| " + " | ".join(str(c) for c in cells) + " |")
    return "\n".join(lines)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--configs", default="32,64,128,256,512,1024", help="names of configs.py, or their first halves (default: %(default)s)")
    p.add_argument("--device", choices=("cpu", "cuda"), default="cuda")
    p.add_argument("--precision", choices=("fp32", "tf32", "bf16"), default="bf16")
    p.add_argument("--variants", default="eager,graphs", help="of " + ", ".join(MODES) + " (default: %(default)s)")
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    p.add_argument("--seconds", type=float, default=1)
    p.add_argument("--limit", type=float, default=float("inf"))
    p.add_argument("--table", nargs=2, metavar=("PGAD_LINES", "PYTORCH_LINES"))
    args = p.parse_args()
    if args.table:
        print(table(*map(read_lines, args.table)))
        return 0
    begin = time.monotonic()
    if unknown := set(args.variants.split(",")) - set(MODES):
        p.error(f"--variants: no {', '.join(sorted(unknown))}; there are {', '.join(MODES)}")
    if args.device == "cpu" and (args.precision != "fp32" or args.variants != "eager"):
        p.error("--device cpu has --precision fp32 and --variants eager alone")
    names = [n for wanted in args.configs.split(",") for n in CONFIGS if n == wanted or n.startswith(wanted + "-")]
    if not names:
        p.error(f"--configs: none of {', '.join(CONFIGS)} is named {args.configs!r}")

    import torch
    import train_and_search

    train_and_search.set_up(args.threads, args.precision)
    measured = 0
    for variant in args.variants.split(","):
        for name in names:
            if time.monotonic() - begin > args.limit:
                print(f"{name} {variant} and what follows: not begun, {args.limit:g} s are over", file=sys.stderr)
                return 0 if measured else 1
            options = {"channels": 1, **CONFIGS[name], "layout": "channels_last", "device": args.device, "precision": args.precision,
                       "compile": "--compile" in MODES[variant], "cuda_graphs": "--cuda-graphs" in MODES[variant],
                       "threads": args.threads, "seconds": args.seconds, "warmup": min(0.5, args.seconds), "profile": False}
            try:
                result = train_and_search.measure(argparse.Namespace(**options))
                measured += 1
            except Exception as e:  # out of memory, or what a variant cannot do: the others go on
                result = {"program": "pytorch", "failed": f"{type(e).__name__}: {e}"[:300]}
            print(json.dumps({"name": name, "variant": variant, **result}), flush=True)
            gc.collect()
            if args.device == "cuda":
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
    return 0 if measured else 1


if __name__ == "__main__":
    sys.exit(main())
