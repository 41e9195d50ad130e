"""Reads and writes safetensors files with numpy only.

Layout: 8 bytes little-endian length of the header, the header (JSON: name -> {dtype, shape, data_offsets}, plus
"__metadata__": string -> string), then the tensors' bytes, little-endian and row-major, without gaps.
"""
import json
import struct

import numpy as np

_DTYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "I32": "<i4", "U8": "|u1", "BOOL": "|b1"}
_NAMES = {np.dtype(v): k for k, v in _DTYPES.items()}


def load(path):
    """Returns (tensors: dict of numpy arrays, metadata: dict of strings)."""
    with open(path, "rb") as f:
        blob = f.read()
    if len(blob) < 8:
        raise ValueError(f"{path}: shorter than a safetensors header")
    (n,) = struct.unpack("<Q", blob[:8])
    if n > len(blob) - 8:
        raise ValueError(f"{path}: header of {n} bytes in a file of {len(blob)}")
    header = json.loads(blob[8 : 8 + n])
    metadata = header.pop("__metadata__", {})
    body = memoryview(blob)[8 + n :]
    tensors = {}
    for name, info in header.items():
        begin, end = info["data_offsets"]
        dtype = np.dtype(_DTYPES[info["dtype"]])
        count = int(np.prod(info["shape"], dtype=np.int64))
        if not 0 <= begin <= end <= len(body) or end - begin != count * dtype.itemsize:
            raise ValueError(f"{path}: {name} has shape {info['shape']} but bytes {begin}..{end} of {len(body)}")
        tensors[name] = np.frombuffer(body[begin:end], dtype).reshape(info["shape"]).copy()
    return tensors, metadata


def save(path, tensors, metadata=None):
    """Writes numpy arrays (their dtype is kept) in name order."""
    header, chunks, offset = {}, [], 0
    if metadata:
        header["__metadata__"] = {k: str(v) for k, v in sorted(metadata.items())}
    for name in sorted(tensors):
        array = np.asarray(tensors[name])  # not ascontiguousarray: it would turn a scalar into [1]
        array = array.astype(array.dtype.newbyteorder("<"), order="C")
        data = array.tobytes()
        header[name] = {"dtype": _NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [offset, offset + len(data)]}
        chunks.append(data)
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(chunks))
