"""Inspects a grey picture (PGM, 8 bits) with a model:  inspect.py model.safetensors picture.pgm"""
import ctypes
import sys

pgad = ctypes.CDLL("libpgad.so.0")


class Picture(ctypes.Structure):
    _fields_ = [("pixels", ctypes.c_void_p), ("height", ctypes.c_int), ("width", ctypes.c_int), ("channels", ctypes.c_int),
                ("row_stride", ctypes.c_ssize_t), ("depth", ctypes.c_int), ("order", ctypes.c_int), ("bits", ctypes.c_int)]


pgad.pgad_open.restype = pgad.pgad_inspect.restype = ctypes.c_void_p
pgad.pgad_score_name.restype, pgad.pgad_score_name.argtypes = ctypes.c_char_p, [ctypes.c_size_t]
pgad.pgad_result_score.restype, pgad.pgad_result_score.argtypes = ctypes.c_double, [ctypes.c_void_p, ctypes.c_char_p]
pgad.pgad_result_decision.argtypes = pgad.pgad_result_destroy.argtypes = pgad.pgad_close.argtypes = [ctypes.c_void_p]


def checked(handle, error):
    if not handle:
        sys.exit(error.value.decode())
    return ctypes.c_void_p(handle)


model, path = sys.argv[1:]
magic, width, height, white, pixels = open(path, "rb").read().split(maxsplit=4)  # here a camera would be asked
assert (magic, white) == (b"P5", b"255"), "expected a binary PGM of 8 bits"
picture = Picture(ctypes.cast(pixels, ctypes.c_void_p), int(height), int(width), 1)
error = ctypes.c_char_p()
inspector = checked(pgad.pgad_open(model.encode(), None, ctypes.byref(error)), error)
result = checked(pgad.pgad_inspect(inspector, ctypes.byref(picture), ctypes.byref(error)), error)
i = 0
while name := pgad.pgad_score_name(i):
    print(name.decode(), "%.9g" % pgad.pgad_result_score(result, name))
    i += 1
print("decision", ("normal", "anomalous", "undecided")[pgad.pgad_result_decision(result)])
pgad.pgad_result_destroy(result)
pgad.pgad_close(inspector)
