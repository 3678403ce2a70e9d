"""The console script, also as `python -m imgpipe`: the command line, once it is imported.

Importing takes a moment, and Ctrl-C in it is to be answered as at any other time.
"""

import sys


def main() -> None:
    """Carry out the command line that this process was started with."""
    try:
        try:
            from imgpipe import cli
        except KeyboardInterrupt:
            sys.stderr.write("Interrupted: nothing was done yet.\n")
            sys.exit(130)
        cli.main()
    finally:
        # Where Ctrl-C hit code in a string, as dataclasses are made of, CPython ends by the signal, whatever the exit
        # code, unless another string was run since.
        exec("")  # noqa: S102


if __name__ == "__main__":
    main()
