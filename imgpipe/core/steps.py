"""The steps of the image path. Each decides first whether it has anything to do, then does one thing.

A prepared frame is upright and premultiplied (`RGBa` where it is not opaque). A step of a preset gets the image and
its plan, and returns an image; it never changes the one that it was given.
"""

from PIL import Image, ImageColor, ImageFilter

from imgpipe.core import colour
from imgpipe.core import resize as kernel
from imgpipe.core.image import Header
from imgpipe.core.orient import upright
from imgpipe.core.plan import Plan


def orient(image: Image.Image, header: Header) -> Image.Image:
    """Turn the stored image upright."""
    return upright(image, header.orientation)


def premultiply(image: Image.Image, header: Header) -> Image.Image:  # noqa: ARG001
    """Weigh colours by alpha, so that resizing does not smear the colour of what is transparent."""
    return image.convert("RGBa") if image.mode == "RGBA" else image


def resize(image: Image.Image, plan: Plan) -> Image.Image:
    """Cut the plan's crop out of the whole, whatever size that was decoded at, and resample it."""
    return kernel.resize(image, plan.layout.size, plan.layout.crop.within(plan.extent, plan.header.upright))


def unpremultiply(image: Image.Image, plan: Plan) -> Image.Image:  # noqa: ARG001
    """Back to straight alpha, in which profiles, encoders and marks think."""
    return image.convert("RGBA") if image.mode == "RGBa" else image


def to_srgb(image: Image.Image, plan: Plan) -> Image.Image:
    """Convert by the source's profile."""
    return colour.to_srgb(image, plan.header.icc)


def flatten(image: Image.Image, plan: Plan) -> Image.Image:
    """Lay what is transparent onto the background, where the format has no alpha."""
    if image.mode != "RGBA" or plan.alpha:
        return image
    flat = Image.new("RGB", image.size, plan.background)
    flat.paste(image, mask=image.getchannel("A"))
    return flat


def sharpen(image: Image.Image, plan: Plan) -> Image.Image:
    """Move the colours away from their blurred selves by the preset's amount; alpha stays as it is."""
    if not plan.preset.sharpen:
        return image
    blur = ImageFilter.GaussianBlur(0.8)
    if image.mode != "RGBA":
        return Image.blend(image.filter(blur), image, 1 + plan.preset.sharpen)
    # Blurred premultiplied: what is transparent has no colour, and must not draw a rim around what is cut out.
    blurred = image.convert("RGBa").filter(blur).convert("RGBA")
    sharp = Image.blend(blurred, image, 1 + plan.preset.sharpen)
    sharp.putalpha(image.getchannel("A"))
    return sharp


def pad(image: Image.Image, plan: Plan) -> Image.Image:
    """Set the image on its canvas."""
    if image.size == plan.layout.canvas:
        return image
    if plan.preset.background == "transparent" and plan.alpha:
        image = image.convert("RGBA")
        canvas = Image.new("RGBA", plan.layout.canvas)
    else:
        fill = ImageColor.getrgb(plan.background)
        mode = "RGB" if image.mode == "L" and len(set(fill)) > 1 else image.mode
        canvas = Image.new(mode, plan.layout.canvas, plan.background)
    canvas.paste(image, plan.layout.offset)
    return canvas


def watermark(image: Image.Image, plan: Plan) -> Image.Image:
    """Lay the mark on."""
    return plan.mark.on(image) if plan.mark else image
