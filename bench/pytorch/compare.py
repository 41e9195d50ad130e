#!/usr/bin/env python3
"""Times pgad and PyTorch in turns on the same machine and writes a report. Run by bench/compare_pytorch.sh.

Every round runs, for one configuration, pgad's step_bench and the PyTorch worker in both memory layouts, one after the
other, each in a fresh process that warms up before its clock starts; the order turns from round to round, and a round
waits for an idle machine for a while. PyTorch's layout is the one whose median is better. The figure is the median over rounds of pgad's images/s over PyTorch's of the
same round: load that comes and goes hits both.
"""
import argparse
import datetime
import json
import os
import platform
import re
import shlex
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CONFIGS = {
    "tiny-train": dict(mode="train", resolution=32, fmap_max=32, batch=16),
    "tiny-search": dict(mode="search", resolution=32, fmap_max=32, batch=16),
    "small-train": dict(mode="train", resolution=64, fmap_max=128, batch=16),
    "small-search": dict(mode="search", resolution=64, fmap_max=128, batch=16),
    "medium-train": dict(mode="train", resolution=128, fmap_max=128, batch=16),
    "medium-search": dict(mode="search", resolution=128, fmap_max=128, batch=16),
}
LAYOUTS = ("nchw", "channels_last")
BUSY = 0.1  # share of the cores in others' use above which a round is called disturbed


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines = [l for l in done.stdout.splitlines() if l.startswith("{")]
    if done.returncode != 0 or not lines:
        sys.exit(f"failed ({done.returncode}): {' '.join(command)}\n{done.stdout}{done.stderr}")
    result = json.loads(lines[-1])
    for key in ("ms_per_step", "images_per_s", "peak_rss_mb"):
        if not (isinstance(result.get(key), (int, float)) and result[key] > 0):
            sys.exit(f"{key} is missing or not positive in: {lines[-1]}")
    return result


def busy_share(seconds=0.5):
    """Share of the cores' time that somebody uses while this program sleeps."""
    def read():
        with open("/proc/stat") as f:
            t = [int(v) for v in f.readline().split()[1:9]]
        return sum(t), t[3] + t[4]
    total, idle = read()
    time.sleep(seconds)
    total2, idle2 = read()
    return 1 - (idle2 - idle) / max(1, total2 - total)


def wait_for_idle(patience):
    """Both sides' threads spin at barriers: one busy stranger can cost a factor of ten, and not the same for both."""
    deadline = time.monotonic() + patience
    while (busy := busy_share()) > BUSY and time.monotonic() < deadline:
        time.sleep(1)
    return busy


def command(who, cell, args):
    options = ["--mode", cell["mode"], "--resolution", str(cell["resolution"]), "--fmap-max", str(cell["fmap_max"]),
               "--batch", str(cell["batch"]), "--threads", str(cell["threads"]), "--seconds", str(args.seconds)]
    if who == "pgad":
        return shlex.split(args.prefix) + [args.step_bench] + options
    return shlex.split(args.prefix) + [sys.executable, os.path.join(HERE, "train_and_search.py"), "--layout", who] + options


def output_of(*command_line):
    try:
        return subprocess.run(command_line, capture_output=True, text=True, cwd=ROOT, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def machine():
    import torch

    with open("/proc/cpuinfo") as f:
        cpu = re.search(r"model name\s*:\s*(.*)", f.read())
    onednn = re.search(r"(?:MKL-DNN|oneDNN) v([\d.]+)", torch.__config__.show())
    blas = re.search(r"BLAS_INFO=(\w+)", torch.__config__.show())
    return {"cpu": cpu[1].strip() if cpu else platform.machine(), "cores": len(os.sched_getaffinity(0)), "system": platform.system(),
            "python": platform.python_version(), "torch": torch.__version__, "torch_onednn": onednn[1] if onednn else "none",
            "torch_blas": blas[1] if blas else "unknown", "torch_cpu_capability": (re.search(r"CPU capability usage: (\S+)", torch.__config__.show()) or ["", ""])[1],
            "omp_env": {k: v for k, v in os.environ.items() if k.startswith(("OMP_", "GOMP_", "KMP_", "MALLOC_"))},
            "commit": output_of("git", "rev-parse", "--short", "HEAD") or "none",
            "modified": bool(output_of("git", "status", "--porcelain", "--untracked-files=no"))}


def cells(args):
    """The configurations named on the command line: NAME[:BATCH][@THREADS], NAME one of CONFIGS or its first half."""
    for wanted in args.configs.split(","):
        parsed = re.fullmatch(r"([a-z-]+)(?::(\d+))?(?:@(\d+))?", wanted)
        names = [n for n in CONFIGS if parsed and (n == parsed[1] or n.startswith(parsed[1] + "-"))]
        if not names:
            sys.exit(f"no configuration {wanted!r}; expected NAME[:BATCH][@THREADS], NAME of {', '.join(CONFIGS)}")
        for name in names:
            yield {"name": name, **CONFIGS[name], "threads": int(parsed[3] or args.threads),
                   "batch": int(parsed[2] or CONFIGS[name]["batch"])}


def measure(cell, args):
    sides = (["pgad"] if not args.pytorch_only else []) + list(LAYOUTS)
    rounds = []
    for i in range(args.rounds):
        turn = sides[i % len(sides):] + sides[: i % len(sides)]
        current = {"busy_before": wait_for_idle(args.patience)}
        for who in turn:
            current[who] = run(command(who, cell, args))
        current["busy_after"] = busy_share()
        rounds.append(current)
        print(f"{cell['name']} batch {cell['batch']} threads {cell['threads']} round {i + 1}: " + ", ".join(f"{w} {rounds[-1][w]['images_per_s']:.1f}" for w in sides) + " images/s", file=sys.stderr)
    median = lambda who, key: statistics.median(r[who][key] for r in rounds)
    best = max(LAYOUTS, key=lambda l: median(l, "images_per_s"))
    row = {**cell, "pytorch_layout": best, "rounds": rounds}
    for who, label in ((best, "pytorch"),) + ((("pgad", "pgad"),) if not args.pytorch_only else ()):
        row[label] = {k: median(who, k) for k in ("ms_per_step", "images_per_s", "peak_rss_mb")}
    if not args.pytorch_only:
        ratios = [r["pgad"]["images_per_s"] / r[best]["images_per_s"] for r in rounds]
        row["speed_ratio"] = {"median": statistics.median(ratios), "least": min(ratios), "most": max(ratios)}
        row["memory_ratio"] = statistics.median(r["pgad"]["peak_rss_mb"] / r[best]["peak_rss_mb"] for r in rounds)
    return row


def markdown(report):
    m, a = report["machine"], report["protocol"]
    lines = [f"# pgad and PyTorch, {report['date']}", "",
             f"{m['cpu']}, {m['cores']} cores. pgad {m['commit']}{' (modified)' if m['modified'] else ''}; "
             f"PyTorch {m['torch']} (oneDNN {m['torch_onednn']}, {m['torch_cpu_capability']}, BLAS {m['torch_blas']}).",
             f"{a['rounds']} rounds of {a['seconds']:g} s in turns, fresh processes, warm-up not counted; medians. "
             "Ratio: pgad's images/s over PyTorch's of the same round, median (least to most); PyTorch in its faster layout.",
             f"Rounds with more than {BUSY:.0%} of the cores in use by others just before or after: {a['disturbed']} of {a['all_rounds']}"
             f"{' (do not trust these figures)' if 2 * a['disturbed'] >= a['all_rounds'] else ''}.", "",
             "| job | side | maps | batch | threads | pgad ms/step | PyTorch ms/step | layout | pgad images/s | PyTorch images/s | ratio | pgad MB | PyTorch MB |",
             "|---|---|---|---|---|---|---|---|---|---|---|---|---|"]
    none = {"ms_per_step": float("nan"), "images_per_s": float("nan"), "peak_rss_mb": float("nan")}
    for r in report["results"]:
        p, t, s = r.get("pgad", none), r["pytorch"], r.get("speed_ratio")
        ratio = f"**{s['median']:.2f}** ({s['least']:.2f} to {s['most']:.2f})" if s else ""
        cell = lambda v, digits: "" if v != v else f"{v:.{digits}f}"
        lines.append(f"| {r['mode']} | {r['resolution']} | {r['fmap_max']} | {r['batch']} | {r['threads']} | {cell(p['ms_per_step'], 1)} | {t['ms_per_step']:.1f} | {r['pytorch_layout']} | "
                     f"{cell(p['images_per_s'], 1)} | {t['images_per_s']:.1f} | {ratio} | {cell(p['peak_rss_mb'], 0)} | {t['peak_rss_mb']:.0f} |")
    return "\n".join(lines) + "\n"


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--configs", default="tiny,small",
                   help="comma-separated NAME[:BATCH][@THREADS], NAME of " + ", ".join(CONFIGS) + "; tiny, small or medium means both of its jobs (default: %(default)s)")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    p.add_argument("--seconds", type=float, default=4, help="timed seconds of one program in one round (default: %(default)s)")
    p.add_argument("--patience", type=float, default=60, help="seconds to wait for an idle machine before a round (default: %(default)s)")
    p.add_argument("--step-bench", default=os.path.join(os.environ.get("PGAD_BUILD", os.path.join(ROOT, "build", "release")), "bench", "step_bench"))
    p.add_argument("--prefix", default="", help="put before each timed program, e.g. 'taskset -c 0,1'")
    p.add_argument("--pytorch-only", action="store_true")
    p.add_argument("--out", default=os.path.join(ROOT, "bench", "results"), help="folder of the report (default: bench/results)")
    args = p.parse_args()
    if args.rounds < 1 or args.threads < 1:
        p.error("--rounds and --threads start at 1")
    if not args.pytorch_only and not os.access(args.step_bench, os.X_OK):
        sys.exit(f"{args.step_bench} is missing; build the release preset first (or --pytorch-only)")

    results = [measure(cell, args) for cell in list(cells(args))]
    info = machine()
    report = {"date": datetime.date.today().isoformat(), "machine": info,
              "protocol": {"rounds": args.rounds, "seconds": args.seconds,
                           "disturbed": sum(max(r["busy_before"], r["busy_after"]) > BUSY for row in results for r in row["rounds"]),
                           "all_rounds": sum(len(row["rounds"]) for row in results)},
              "results": results}
    os.makedirs(args.out, exist_ok=True)
    slug = re.sub(r"[^a-z0-9]+", "-", info["cpu"].lower()).strip("-")
    base = os.path.join(args.out, f"{report['date']}_{slug}_{info['cores']}-cores{'_pytorch-only' if args.pytorch_only else ''}")
    with open(base + ".json", "w") as f:
        json.dump(report, f, indent=1)
        f.write("\n")
    with open(base + ".md", "w") as f:
        f.write(markdown(report))
    print(markdown(report))
    print(f"written: {os.path.relpath(base)}.md and .json")


if __name__ == "__main__":
    main()
