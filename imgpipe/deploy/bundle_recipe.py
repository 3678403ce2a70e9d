"""The recipe as the bundle carries it: `imgpipe.toml`, with its images and fonts under `assets/`.

They are named by their content, so that the same recipe is the same files wherever it was read from.
"""

from collections.abc import Mapping

import msgspec

from imgpipe.core import recipe_file
from imgpipe.core.recipe import Asset, Recipe, Watermark


def recipe_files(recipe: Recipe) -> Mapping[str, bytes]:
    """Path in the bundle -> content; what `recipe_file.load` makes of them has the hash of `recipe`."""
    files: dict[str, bytes] = {}

    def moved(asset: Asset) -> Asset:
        name = f"assets/{asset.digest[:16]}"
        files[name] = asset.data
        return Asset(name, asset.data)

    def marked(mark: Watermark) -> Watermark:
        if mark.image:
            return msgspec.structs.replace(mark, image=moved(mark.image))
        return msgspec.structs.replace(mark, font=moved(mark.font))

    presets = tuple(
        msgspec.structs.replace(preset, watermark=marked(preset.watermark)) if preset.watermark else preset
        for preset in recipe.presets
    )
    text = recipe_file.to_toml(msgspec.structs.replace(recipe, presets=presets))
    # The font that is part of the package is not named in the text, and needs no copy.
    return {recipe_file.NAME: text.encode()} | {name: files[name] for name in files if f'"{name}"' in text}
