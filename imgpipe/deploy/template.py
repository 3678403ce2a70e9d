"""Where the bundled CloudFormation template lies."""

from pathlib import Path


def folder() -> Path:
    """The folder of the template: in a wheel inside the package, in a checkout (and an editable install) beside it."""
    package = Path(__file__).parents[1]
    packaged = package / "cloudformation"
    return packaged if packaged.is_dir() else package.parent / "cloudformation"
