"""The steps that are compared: networks, batches, and PyTorch's ways to run them."""
CONFIGS = {
    "tiny-train": dict(mode="train", resolution=32, fmap_max=32, batch=16),
    "tiny-search": dict(mode="search", resolution=32, fmap_max=32, batch=16),
    "small-train": dict(mode="train", resolution=64, fmap_max=128, batch=16),
    "small-search": dict(mode="search", resolution=64, fmap_max=128, batch=16),
    "medium-train": dict(mode="train", resolution=128, fmap_max=128, batch=16),
    "medium-search": dict(mode="search", resolution=128, fmap_max=128, batch=16),
}
# The networks of the preset pggan, one per resolution: "256-train", ...
for side, batch in ((32, 64), (64, 32), (128, 16), (256, 8), (512, 4), (1024, 4)):
    for mode in ("train", "search"):
        CONFIGS[f"{side}-{mode}"] = dict(mode=mode, resolution=side, fmap_max=512, channels=3, batch=batch)
LAYOUTS = ("nchw", "channels_last")
MODES = {"eager": [], "compiled": ["--compile"], "graphs": ["--cuda-graphs"], "compiled-graphs": ["--compile", "--cuda-graphs"]}
