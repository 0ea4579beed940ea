"""A small PNG, with or without texts beside its pixels."""

import io

from PIL import Image, PngImagePlugin


def picture(**texts: str) -> bytes:
    """The picture; each text stands in it in all three forms that a PNG knows."""
    info, target = PngImagePlugin.PngInfo(), io.BytesIO()
    for key, value in texts.items():
        info.add_text(key, value)
        info.add_text(key, value, zip=True)
        info.add_itxt(key, value)
    Image.new("RGB", (40, 30), (1, 2, 3)).save(target, format="png", pnginfo=info)
    return target.getvalue()
