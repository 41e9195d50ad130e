#!/usr/bin/env python3
"""Times pgad and PyTorch in turns on the same machine and writes a report. Run by bench/compare_pytorch.sh.

Every round runs, for one configuration, pgad's step_bench and PyTorch's variants one after the other, each in a fresh
process that warms up before its clock starts; the order turns from round to round, and a round waits for an idle machine
for a while. PyTorch's variants are eager, compiled (torch.compile, where the version has it) and on a GPU also graphs (the
step captured as a CUDA graph) and compiled-graphs, each in both memory layouts and by each interpreter of --pythons; the
one whose median is best counts. One that fails is reported and left out. The figure is the median over rounds of pgad's
images/s over PyTorch's of the same round: load that comes and goes hits both.

--isa holds both sides to an instruction set: pgad by PGAD_ISA, PyTorch by ATEN_CPU_CAPABILITY and the limits of oneDNN and
MKL.
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
import tempfile
import time

from configs import CONFIGS, LAYOUTS, MODES

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
# What holds both sides to an instruction set; "best" is what each finds on the machine.
ISAS = {
    "best": {},
    "avx2": {"PGAD_ISA": "avx2", "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "DNNL_MAX_CPU_ISA": "AVX2",
             "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
}
HOPELESS = 0.6  # a variant of PyTorch that in the first round reaches less than this share of the best one's speed is not timed again
BUSY = 0.1  # share of the cores in others' use above which a round is called disturbed


def compiled_for(isa):
    """Where torch.compile keeps its code. It does not tell instruction sets apart: with one folder for two a program crashes."""
    return os.path.join(tempfile.gettempdir(), f"torchinductor-{os.getuid()}-{isa}")


def run(command, isa, timeout):
    """The result that a program prints, or None where it fails: the reason goes to standard error."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout,
                              env={**os.environ, **ISAS[isa], "TORCHINDUCTOR_CACHE_DIR": compiled_for(isa)})
    except subprocess.TimeoutExpired:
        print(f"took more than {timeout:g} s: {' '.join(command)}", file=sys.stderr)
        return None
    lines = [l for l in done.stdout.splitlines() if l.startswith("{")]
    result = json.loads(lines[-1]) if done.returncode == 0 and lines else {}
    if all(isinstance(result.get(k), (int, float)) and result[k] > 0 for k in ("ms_per_step", "images_per_s", "peak_rss_mb")):
        return result
    last = "\n".join((done.stdout + done.stderr).splitlines()[-5:])
    print(f"failed ({done.returncode}): {' '.join(command)}\n{last}", file=sys.stderr)
    return None


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


def describe_torch(python):
    """What an interpreter's PyTorch is: version, whether it compiles, and its libraries."""
    program = ("import json, platform, re, torch; show = torch.__config__.show();"
               "find = lambda pattern: (re.search(pattern, show) or ['', 'none'])[1];"
               "print(json.dumps({'version': torch.__version__, 'compiles': hasattr(torch, 'compile'), 'python': platform.python_version(),"
               "'onednn': find(r'(?:MKL-DNN|oneDNN) v([\\d.]+)'), 'blas': find(r'BLAS_INFO=(\\w+)'), 'capability': find(r'CPU capability usage: (\\S+)'),"
               "'gpu': torch.cuda.get_device_name() if torch.cuda.is_available() else '', 'cuda': torch.version.cuda or ''}))")
    done = subprocess.run([python, "-c", program], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{python}: no PyTorch there\n{done.stderr}")
    return {"executable": python, **json.loads(done.stdout)}


def pytorch_variants(args):
    """Name of a variant -> how its command begins."""
    variants = {}
    for torch in args.torches:
        for mode in args.variants.split(","):
            if "--compile" in MODES[mode] and not torch["compiles"]:
                continue
            for layout in args.layouts.split(","):
                variants[f"{torch['version']} {mode} {layout}"] = [
                    torch["executable"], os.path.join(HERE, "train_and_search.py"), "--device", args.device,
                    "--precision", args.precision, "--layout", layout] + MODES[mode]
    return variants


def command(who, cell, args):
    options = ["--mode", cell["mode"], "--resolution", str(cell["resolution"]), "--fmap-max", str(cell["fmap_max"]),
               "--channels", str(cell["channels"]), "--batch", str(cell["batch"]), "--threads", str(cell["threads"]),
               "--seconds", str(args.seconds)]
    if who == "pgad":
        return shlex.split(args.prefix) + [args.step_bench, "--device", args.device, "--precision", args.precision] + options
    return shlex.split(args.prefix) + pytorch_variants(args)[who] + options


def output_of(*command_line):
    try:
        return subprocess.run(command_line, capture_output=True, text=True, cwd=ROOT, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def machine(args):
    with open("/proc/cpuinfo") as f:
        cpu = re.search(r"model name\s*:\s*(.*)", f.read())
    return {"cpu": cpu[1].strip() if cpu else platform.machine(), "cores": len(os.sched_getaffinity(0)), "system": platform.system(),
            "torches": args.torches, "gpu": args.torches[0]["gpu"], "cuda": args.torches[0]["cuda"],
            "omp_env": {k: v for k, v in os.environ.items() if k.startswith(("OMP_", "GOMP_", "KMP_", "MALLOC_"))},
            "commit": output_of("cat", "COMMIT") or output_of("git", "rev-parse", "--short", "HEAD") or "none",
            "modified": bool(output_of("git", "status", "--porcelain", "--untracked-files=no"))}


def cells(args):
    """The configurations named on the command line: NAME[:BATCH][@THREADS], NAME one of CONFIGS or its first half."""
    wanted_cells = [f"{side}-{mode}" for side in args.resolutions.split(",") for mode in ("train", "search")] if args.resolutions else args.configs.split(",")
    for wanted in wanted_cells:
        parsed = re.fullmatch(r"([a-z0-9-]+)(?::(\d+))?(?:@(\d+))?", wanted)
        names = [n for n in CONFIGS if parsed and (n == parsed[1] or n.startswith(parsed[1] + "-"))]
        if not names:
            sys.exit(f"no configuration {wanted!r}; expected NAME[:BATCH][@THREADS], NAME of {', '.join(CONFIGS)}")
        for name in names:
            for isa in args.isa.split(","):
                yield {"name": name, "channels": 1, **CONFIGS[name], "threads": int(parsed[3] or args.threads),
                       "batch": int(parsed[2] or CONFIGS[name]["batch"]), "isa": isa}


def measure(cell, args):
    variants = list(pytorch_variants(args))
    sides = (["pgad"] if not args.pytorch_only else []) + variants
    failed, rounds, hopeless = [], [], []
    for i in range(args.rounds):
        turn = sides[i % len(sides):] + sides[: i % len(sides)]
        current = {"busy_before": wait_for_idle(args.patience)}
        for who in turn:
            if who not in failed + hopeless:
                current[who] = run(command(who, cell, args), cell["isa"], args.timeout)
                if current[who] is None:
                    failed.append(who)
        current["busy_after"] = busy_share()
        rounds.append(current)
        print(f"{cell['name']} batch {cell['batch']} threads {cell['threads']} {cell['isa']} round {i + 1}: " + ", ".join(f"{w} {current[w]['images_per_s']:.1f}" for w in sides if current.get(w)) + " images/s", file=sys.stderr)
        if i == 0:
            speed = {v: current[v]["images_per_s"] for v in variants if v not in failed}
            hopeless = [v for v in speed if speed[v] < HOPELESS * max(speed.values())]
    median = lambda who, key: statistics.median(r[who].get(key, 0) for r in rounds if who in r)
    memory = "peak_rss_mb" if args.device == "cpu" else "peak_device_reserved_mb"
    row = {**cell, "failed": failed, "rounds": rounds}
    best = max((v for v in variants if v not in failed + hopeless), key=lambda v: median(v, "images_per_s"), default=None)
    pgad = None if args.pytorch_only or "pgad" in failed else "pgad"
    for who, label in ((best, "pytorch"), (pgad, "pgad")):
        if who:
            row[label] = {k: median(who, k) for k in ("ms_per_step", "images_per_s")}
            row[label]["peak_mb"] = median(who, memory)
    row["pytorch_variant"] = best or "none"
    row["variants"] = {v: median(v, "images_per_s") for v in variants if v not in failed}
    if best and pgad:
        ratios = [r["pgad"]["images_per_s"] / r[best]["images_per_s"] for r in rounds]
        row["speed_ratio"] = {"median": statistics.median(ratios), "least": min(ratios), "most": max(ratios)}
        row["memory_ratio"] = statistics.median(r["pgad"][memory] / r[best][memory] for r in rounds)
    return row


def markdown(report):
    m, a = report["machine"], report["protocol"]
    on_gpu = a["device"] != "cpu"
    torches = "; ".join(f"PyTorch {t['version']} (Python {t['python']}, oneDNN {t['onednn']}, {t['capability']}, BLAS {t['blas']})" for t in m["torches"])
    lines = [f"# pgad and PyTorch, {report['date']}", "",
             f"{(m['gpu'] + ', CUDA ' + m['cuda'] + ', ' + a['precision'] + '; ') if on_gpu else ''}"
             f"{m['cpu']}, {m['cores']} cores. pgad {m['commit']}{' (modified)' if m['modified'] else ''}; {torches}.",
             f"{a['rounds']} rounds of {a['seconds']:g} s in turns, fresh processes, warm-up not counted; medians. A variant of PyTorch that had less than {HOPELESS} of the best one's speed in the first round was not timed again. "
             f"Ratio: pgad's images/s over PyTorch's of the same round, median (least to most); PyTorch in its fastest variant.",
             f"MB: {'of the GPU, reserved by the allocator' if on_gpu else 'resident'}, at most. "
             f"Rounds with more than {BUSY:.0%} of the cores in use by others just before or after: {a['disturbed']} of {a['all_rounds']}"
             f"{' (do not trust these figures)' if 2 * a['disturbed'] >= a['all_rounds'] and not on_gpu else ''}.",
             "" if on_gpu else f"Instruction set: best, what each side finds on the machine; avx2, both held to it ({', '.join(f'{k}={v}' for k, v in ISAS['avx2'].items())}).", "",
             "| job | side | maps | batch | threads | instruction set | pgad ms/step | PyTorch ms/step | PyTorch | pgad images/s | PyTorch images/s | ratio | pgad MB | PyTorch MB |",
             "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"]
    none = {"ms_per_step": float("nan"), "images_per_s": float("nan"), "peak_mb": float("nan")}
    cell = lambda v, digits: "" if v != v else f"{v:.{digits}f}"
    for r in report["results"]:
        p, t, s = r.get("pgad", none), r.get("pytorch", none), r.get("speed_ratio")
        ratio = f"**{s['median']:.2f}** ({s['least']:.2f} to {s['most']:.2f})" if s else ""
        lines.append(f"| {r['mode']} | {r['resolution']} | {r['fmap_max']} | {r['batch']} | {r['threads']} | {r['isa']} | {cell(p['ms_per_step'], 1)} | {cell(t['ms_per_step'], 1)} | {r['pytorch_variant']} | "
                     f"{cell(p['images_per_s'], 1)} | {cell(t['images_per_s'], 1)} | {ratio} | {cell(p['peak_mb'], 0)} | {cell(t['peak_mb'], 0)} |")
    lines += ["", "PyTorch's variants, images/s:", "", "| " + " | ".join(["step", "batch", "threads", "instruction set"] + report["variants"]) + " |",
              "|---" * (4 + len(report["variants"])) + "|"]
    for r in report["results"]:
        lines.append("| " + " | ".join([r["name"], str(r["batch"]), str(r["threads"]), r["isa"]] + [cell(r["variants"].get(v, float("nan")), 1) for v in report["variants"]]) + " |")
    failures = [f"{r['name']} ({r['isa']}): {', '.join(r['failed'])}" for r in report["results"] if r["failed"]]
    if failures:
        lines += ["", "Failed, and left out: " + "; ".join(failures) + "."]
    return "\n".join(lines) + "\n"


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--configs", default="tiny,small",
                   help="comma-separated NAME[:BATCH][@THREADS], NAME of " + ", ".join(CONFIGS) + "; a first half means both of its jobs (default: %(default)s)")
    p.add_argument("--resolutions", default="", help="instead of --configs: the networks of the preset pggan at these sizes, e.g. 32,64,128,256,512,1024")
    p.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    p.add_argument("--precision", choices=("fp32", "tf32", "bf16"), default="fp32")
    p.add_argument("--variants", default="", help="of PyTorch: of " + ", ".join(MODES) + " (default: all that the device has)")
    p.add_argument("--isa", default="best", help="comma-separated, of " + ", ".join(ISAS) + ": each step is timed at each (default: %(default)s)")
    p.add_argument("--pythons", default=sys.executable, help="comma-separated interpreters whose PyTorch takes part (default: this one)")
    p.add_argument("--layouts", default=",".join(LAYOUTS))
    p.add_argument("--timeout", type=float, default=600, help="seconds for one program (default: %(default)s)")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    p.add_argument("--seconds", type=float, default=4, help="timed seconds of one program in one round (default: %(default)s)")
    p.add_argument("--patience", type=float, default=60, help="seconds to wait for an idle machine before a round (default: %(default)s)")
    p.add_argument("--step-bench", default=os.path.join(os.environ.get("PGAD_BUILD", os.path.join(ROOT, "build", "release")), "bench", "step_bench"))
    p.add_argument("--prefix", default="", help="put before each timed program, e.g. 'taskset -c 0,1'")
    p.add_argument("--pytorch-only", action="store_true")
    p.add_argument("--out", default=os.path.join(ROOT, "bench", "results"), help="folder of the report (default: bench/results)")
    args = p.parse_args()
    if args.device == "cpu" and args.precision != "fp32":
        p.error("--precision needs --device cuda")
    on_device = [m for m in MODES if args.device == "cuda" or "--cuda-graphs" not in MODES[m]]
    args.variants = args.variants or ",".join(on_device)
    if not set(args.isa.split(",")) <= set(ISAS):
        p.error(f"--isa: of {', '.join(ISAS)}")
    if not set(args.variants.split(",")) <= set(on_device) or not set(args.layouts.split(",")) <= set(LAYOUTS):
        p.error(f"--variants: of {', '.join(on_device)}; --layouts: of {', '.join(LAYOUTS)}")
    if args.rounds < 1 or args.threads < 1:
        p.error("--rounds and --threads start at 1")
    if not args.pytorch_only and not os.access(args.step_bench, os.X_OK):
        sys.exit(f"{args.step_bench} is missing; build the release preset first (or --pytorch-only)")

    args.torches = [describe_torch(python) for python in args.pythons.split(",")]
    info = machine(args)
    results = [measure(cell, args) for cell in list(cells(args))]
    report = {"date": datetime.date.today().isoformat(), "machine": info,
              "protocol": {"rounds": args.rounds, "seconds": args.seconds, "device": args.device, "precision": args.precision,
                           "disturbed": sum(max(r["busy_before"], r["busy_after"]) > BUSY for row in results for r in row["rounds"]),
                           "all_rounds": sum(len(row["rounds"]) for row in results)},
              "variants": list(pytorch_variants(args)), "results": results}
    os.makedirs(args.out, exist_ok=True)
    slug = re.sub(r"[^a-z0-9]+", "-", (info["cpu"] if args.device == "cpu" else info["gpu"]).lower()).strip("-")
    what = f"{info['cores']}-cores" if args.device == "cpu" else args.precision
    base = os.path.join(args.out, f"{report['date']}_{slug}_{what}{'_pytorch-only' if args.pytorch_only else ''}")
    with open(base + ".json", "w") as f:
        json.dump(report, f, indent=1)
        f.write("\n")
    with open(base + ".md", "w") as f:
        f.write(markdown(report))
    print(markdown(report))
    print(f"written: {os.path.relpath(base)}.md and .json")


if __name__ == "__main__":
    main()
