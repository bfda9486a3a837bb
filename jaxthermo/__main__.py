"""`python -m jaxthermo` is the `jaxthermo` command."""

from jaxthermo.cli import main

main()
