#!/usr/bin/env python3
"""Makes data/mnist-subset from the four full MNIST files (see scripts/get_data.sh mnist).

    make_mnist_subset.py MNIST_DIR OUT_DIR

Every image of the kept digit (8), training and test files pooled, and the first PER_CLASS images of each
other digit; then one deterministic shuffle of all. The standard library alone, so that it runs anywhere.
"""

import gzip
import os
import struct
import sys

NORMAL = 8
PER_CLASS = 1000  # of each other digit; with every 8 the gzipped files stay below 3 MB
SEED = 2018


def read_idx(path, magic):
    with open(path, "rb") as file:
        data = file.read()
    if len(data) < 8 or struct.unpack(">I", data[:4])[0] != magic:
        sys.exit(f"{path}: not an IDX file with magic 0x{magic:08x}")
    dims = struct.unpack(f">{magic & 0xff}I", data[4 : 4 + 4 * (magic & 0xFF)])
    size = 1
    for d in dims:
        size *= d
    body = data[4 + 4 * len(dims) :]
    if len(body) != size:
        sys.exit(f"{path}: {len(body)} bytes of data, expected {size}")
    return dims, body


def splitmix64(state):
    """Yields 64-bit numbers; the same on every platform and Python version, unlike random.shuffle."""
    mask = (1 << 64) - 1
    while True:
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        yield z ^ (z >> 31)


def write_gz(path, data):
    # No file name and no time in the gzip header: the same bytes from every run.
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as file:
        file.write(data)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, out = sys.argv[1:]
    kept, seen = [], [0] * 10
    for part in ("train", "t10k"):
        (count, rows, cols), pixels = read_idx(os.path.join(source, f"{part}-images-idx3-ubyte"), 0x803)
        (labels_count,), labels = read_idx(os.path.join(source, f"{part}-labels-idx1-ubyte"), 0x801)
        if labels_count != count or (rows, cols) != (28, 28):
            sys.exit(f"{part}: {count} images of {rows}x{cols} and {labels_count} labels; not MNIST")
        for i, label in enumerate(labels):
            if label == NORMAL or seen[label] < PER_CLASS:
                seen[label] += 1
                kept.append((label, pixels[i * 784 : (i + 1) * 784]))
    numbers = splitmix64(SEED)
    for i in range(len(kept) - 1, 0, -1):
        j = next(numbers) % (i + 1)
        kept[i], kept[j] = kept[j], kept[i]
    os.makedirs(out, exist_ok=True)
    images = struct.pack(">4I", 0x803, len(kept), 28, 28) + b"".join(p for _, p in kept)
    labels = struct.pack(">2I", 0x801, len(kept)) + bytes(label for label, _ in kept)
    write_gz(os.path.join(out, "train-images-idx3-ubyte.gz"), images)
    write_gz(os.path.join(out, "train-labels-idx1-ubyte.gz"), labels)
    print(f"{len(kept)} images; of digit 0..9: {seen}")


if __name__ == "__main__":
    main()
