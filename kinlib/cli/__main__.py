"""`python -m kinlib.cli`."""

import sys

from kinlib.cli import main

sys.exit(main())
