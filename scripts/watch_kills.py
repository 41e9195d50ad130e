#!/usr/bin/env python3
"""Drops images in bursts into a folder that pgad_infer watches, kills the program at random moments, and says whether
each image was judged exactly once, with the scores of pgad_infer score.

  scripts/watch_kills.py PROGRAM MODEL IMAGES WORK [--kills 100] [--life 2.5] [--pause 0.5] [--seed 1]

IMAGES: a folder of image files, which is only read; WORK: a new folder. Images are copied, moved into place, or written in two
halves. Exit code 1 if one was missed, judged twice or otherwise than by score, or not moved.
"""
import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time


def name_of(i, file):
    return f"part{i % 7}/{file}" if i % 3 == 0 else file


def drop_all(files, source, work, pause, rng):
    i = 0
    while i < len(files):
        for file in files[i : i + rng.randint(1, 200)]:
            target = f"{work}/in/{name_of(i, file)}"
            os.makedirs(os.path.dirname(target), exist_ok=True)
            way = rng.random()
            if way < 0.4:
                shutil.copyfile(f"{source}/{file}", target)
            elif way < 0.7:
                shutil.copyfile(f"{source}/{file}", f"{work}/coming")
                os.rename(f"{work}/coming", target)
            else:
                with open(f"{source}/{file}", "rb") as f:
                    content = f.read()
                with open(target, "wb") as f:
                    f.write(content[: len(content) // 2])
                    f.flush()
                    time.sleep(0.001 * rng.random())
                    f.write(content[len(content) // 2 :])
            i += 1
        time.sleep(pause * rng.random())


def main():
    p = argparse.ArgumentParser()
    for name in ("program", "model", "images", "work"):
        p.add_argument(name)
    p.add_argument("--kills", type=int, default=100)
    p.add_argument("--life", type=float, default=2.5, help="seconds until a kill, at most")
    p.add_argument("--pause", type=float, default=0.5, help="seconds between bursts, at most")
    p.add_argument("--seed", type=int, default=1)
    o = p.parse_args()
    files = sorted(os.listdir(o.images))
    for folder in ("in", "sorted"):
        os.makedirs(f"{o.work}/{folder}")
    rng = random.Random(o.seed)
    dropper = threading.Thread(
        target=drop_all, args=(files, o.images, o.work, o.pause, random.Random(o.seed + 1)))
    out = f"{o.work}/out"
    base = [o.program, "watch", "--model", o.model, "--input", f"{o.work}/in", "--out", out]
    command = base + ["--move-to", f"{o.work}/sorted", "--threads", "1"]
    begin = time.time()
    dropper.start()
    with open(f"{o.work}/log.txt", "wb") as log:
        for _ in range(o.kills):
            watcher = subprocess.Popen(command, stderr=log)
            time.sleep(o.life * rng.random())
            watcher.kill()
            watcher.wait()
        watcher = subprocess.Popen(command, stderr=log)
        dropper.join()
        left = None
        while watcher.poll() is None:  # until nothing has been moved for five seconds
            time.sleep(5)
            before, left = left, sum(len(f) for _, _, f in os.walk(f"{o.work}/in"))
            if left in (0, before):
                break
        watcher.terminate()
        code = watcher.wait(60)
    with open(f"{out}/scores.jsonl", encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    seconds = time.time() - begin
    subprocess.run([o.program, "score", "--model", o.model, "--input", o.images, "--out", f"{o.work}/scored",
                    "--threads", "1", "--quiet"], check=False)
    with open(f"{o.work}/scored/scores.json", encoding="utf-8") as f:
        expected = {row["path"]: row for row in json.load(f)["images"]}
    judged = {row["path"] for row in rows}
    different = 0
    for row in rows:
        of_score = dict(expected[os.path.basename(row["path"])], path=row["path"])
        different += {k: v for k, v in row.items() if k not in ("size", "modified", "time", "run")} != of_score
    missing = len({name_of(i, f) for i, f in enumerate(files)} - judged)
    moved = sum(len(f) for _, _, f in os.walk(f"{o.work}/sorted"))
    print(f"{len(files)} images, {o.kills} kills, {seconds:.0f} s: {len(rows)} rows, {len(judged)} images, "
          f"{missing} missing, {different} otherwise than by score, {moved} moved; exit code {code}")
    good = len(rows) == len(judged) == len(files) == moved and missing == different == code == 0
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
