"""`python -m neurojax`, as `neurojax`."""

import sys

from neurojax.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
