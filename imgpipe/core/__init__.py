"""Images, pure: bytes and a recipe in, renditions out. Start with `pipeline`."""
