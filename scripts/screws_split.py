#!/usr/bin/env python3
"""Lays MVTec AD's screws out as inspection folders, from the copy in the public repository dungdao1995/SkipGanomaly-MVTECAD.

  scripts/screws_split.py SRC DST [--known-each 3] [--seed 0]

SRC is that repository's folder data/screw. DST gets two data sets with the same training images: DST/val (make every
choice on it) and DST/test (report only), each with train/good, train/abnormal, test/good, test/<kind> and
ground_truth/{abnormal,<kind>}/*_mask.png. Files are linked; nothing of SRC is changed. Needs Python's standard library only.

The copy keeps the images of all five kinds in one folder, test/1, as NNN.png, NNN(1).png, ... NNN(4).png: equal numbers of
the five kinds, but in an order that differs from number to number. The masks are still in folders by kind. PLACES says
which image each mask belongs to. It was found by laying every mask over every image of its number and looking: the right
image shows the defect within the mask's outline, in the others the outline crosses sound metal or bare ground.
"""
import argparse
import os
import random
import sys

KINDS = ["scratch_neck", "thread_side", "thread_top", "manipulated_front", "scratch_head"]
# Row: number of the image. Digits: place of each of KINDS, n for NNN(n).png and 0 for NNN.png; '-' where there is none.
PLACES = """31024 41032 02134 01234 10234 20143 01243 20134 01234 10243 10243 12043 01234
            02134 12034 20134 21043 21034 01234 02143 12034 02143 12034 0--21 0----""".split()


def link(source, folder, name):
    os.makedirs(folder, exist_ok=True)
    os.symlink(os.path.abspath(source), os.path.join(folder, name))


def defects(source):
    """Kind -> list of (image, mask, number)."""
    items = {kind: [] for kind in KINDS}
    for number, places in enumerate(PLACES):
        for kind, place in zip(KINDS, places):
            if place == "-":
                continue
            image = f"{source}/test/1/{number:03d}{'' if place == '0' else f'({place})'}.png"
            mask = f"{source}/ground_truth/{kind}/{number:03d}_mask.png"
            for file in (image, mask):
                if not os.path.isfile(file):
                    sys.exit(f"screws_split.py: no file {file}: is {source} the folder data/screw of the repository?")
            items[kind].append((image, mask, f"{number:03d}"))
    return items


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", metavar="SRC")
    parser.add_argument("destination", metavar="DST")
    parser.add_argument("--known-each", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if not 0 <= arguments.known_each < 23:  # the least frequent kinds have 23 images
        parser.error(f"--known-each {arguments.known_each}: expected 0 to 22, so that each kind is tested too")
    source, destination = arguments.source, arguments.destination
    if os.path.exists(destination):
        sys.exit(f"screws_split.py: {destination} exists already: remove it or name another folder")
    rng = random.Random(arguments.seed)
    items = defects(source)
    for kind in KINDS:
        rng.shuffle(items[kind])
    good = sorted(name for name in os.listdir(f"{source}/test/0") if name.endswith(".png"))
    rng.shuffle(good)
    quarter = len(good) // 4
    for part, tested in (("val", good[:quarter]), ("test", good[quarter:])):
        folder = f"{destination}/{part}"
        for name in sorted(os.listdir(f"{source}/train/good")):
            if name.endswith(".png"):
                link(f"{source}/train/good/{name}", f"{folder}/train/good", name)
        for name in tested:
            link(f"{source}/test/0/{name}", f"{folder}/test/good", name)
        for kind in KINDS:
            known, rest = items[kind][: arguments.known_each], items[kind][arguments.known_each :]
            for image, mask, number in known:
                link(image, f"{folder}/train/abnormal", f"{kind}_{number}.png")
                link(mask, f"{folder}/ground_truth/abnormal", f"{kind}_{number}_mask.png")
            share = max(1, len(rest) // 4)
            for image, mask, number in rest[:share] if part == "val" else rest[share:]:
                link(image, f"{folder}/test/{kind}", f"{number}.png")
                link(mask, f"{folder}/ground_truth/{kind}", f"{number}_mask.png")


main()
