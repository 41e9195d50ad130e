#!/usr/bin/env python3
"""Writes tests/golden/mma_fragments.txt: which element of a matrix each lane holds, element by element a0, a1, ... of the
warp instructions that pgad's kernels use. The formulas are those of NVIDIA's PTX ISA manual ("Matrix Fragments for
mma.m16n8k16 with floating point type", "... mma.m16n8k8", "ldmatrix"), i being the element's number in a lane: two bf16
share a register, the lower half first. Nothing of pgad's emulator is used.

    python3 scripts/parity/make_fragments.py > tests/golden/mma_fragments.txt
"""


def a_bf16(g, t, i):
    row = g if 0 <= i < 2 or 4 <= i < 6 else g + 8
    return row, t * 2 + (i & 1) + (8 if i >= 4 else 0)


def b_bf16(g, t, i):
    return t * 2 + (i & 1) + (8 if i >= 2 else 0), g


def a_tf32(g, t, i):
    return (g if i in (0, 2) else g + 8), (t if i in (0, 1) else t + 4)


def b_tf32(g, t, i):
    return (t if i == 0 else t + 4), g


def accumulator(g, t, i):
    return (g if i < 2 else g + 8), t * 2 + (i & 1)


# A thread's fragment of the j-th 8x8 matrix is a register of two elements of row lane / 4; transposed: of that column.
def ldmatrix(g, t, i):
    return 8 * (i // 2) + g, 2 * t + i % 2


def ldmatrix_trans(g, t, i):
    return 8 * (i // 2) + 2 * t + i % 2, g


SECTIONS = [
    ("mma_m16n8k16_bf16.a", 8, a_bf16), ("mma_m16n8k16_bf16.b", 4, b_bf16), ("mma_m16n8k16_bf16.d", 4, accumulator),
    ("mma_m16n8k8_tf32.a", 4, a_tf32), ("mma_m16n8k8_tf32.b", 2, b_tf32), ("mma_m16n8k8_tf32.d", 4, accumulator),
    ("ldmatrix_x4", 8, ldmatrix), ("ldmatrix_x4_trans", 8, ldmatrix_trans),
]

print("# Made by scripts/parity/make_fragments.py. A section: name, elements per lane; then a line per lane: its elements as")
print("# row,column. ldmatrix's 8x8 matrices count as stacked: row 8i + r is row r of matrix i.")
for name, elements, place in SECTIONS:
    print(name, elements)
    for lane in range(32):
        print(*("%d,%d" % place(lane // 4, lane % 4, i) for i in range(elements)))
