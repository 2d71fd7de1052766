"""`python -m app.cli`: the same as `optout`."""

from app.cli import main

main()
