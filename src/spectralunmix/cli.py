"""The command `spectralunmix`: reads the command line, and reports errors without a traceback."""

import argparse
import os
import sys

from spectralunmix.command.parser import parsed
from spectralunmix.errors import ConfigurationError, LibraryError, RunError


def begin(options: argparse.Namespace) -> None:
    """Run the command. Its modules are imported here, because the help does not need them."""
    if options.command == "fit":
        from spectralunmix.command.fit_options import check

        check(options)  # before torch, which takes seconds
        os.environ["MPLBACKEND"] = "agg"  # the caller's backend may not be installed
        from spectralunmix.command.fit import fit

        fit(options)
        return
    from spectralunmix.command.isolation import environment_of_its_own

    environment_of_its_own()
    if options.command == "verify":
        from spectralunmix.command.verify import verify_named

        verify_named(options.library, options.reference)
    elif options.command == "addresses":
        from spectralunmix.command.addresses import check_all

        check_all(options.entries, options.seen)
    else:
        from spectralunmix.command.run import run

        run(options)


def main() -> None:
    """Run the command; after an error, print its message and exit with status 1."""
    options = parsed(sys.argv[1:])
    try:
        begin(options)
    except (RunError, LibraryError, ConfigurationError, OSError, MemoryError) as error:
        text = str(error)
        sys.exit(text if text.startswith("ERROR: ") else f"ERROR: {text}")
    except ModuleNotFoundError as error:
        sys.exit(
            f"ERROR: {options.command} needs the package {error.name}, which is not installed: "
            "pip install '.[workflow]' in a clone of the project"
        )
    except KeyboardInterrupt:
        makes = options.command not in ("fit", "verify", "addresses")
        sys.exit("stopped; the next run goes on from here" if makes else "stopped")


if __name__ == "__main__":
    main()
