"""The console script, also as `python -m imgpipe`: the command line, once it is imported.

Importing takes a moment, and Ctrl-C in it is to be answered as at any other time.
"""

import sys


def main() -> None:
    """Carry out the command line that this process was started with."""
    try:
        from imgpipe import cli
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted: nothing was done yet.\n")
        sys.exit(130)
    cli.main()


if __name__ == "__main__":
    main()
