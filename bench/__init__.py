"""Side-by-side measurements, each against its limit, in one run: `python -m bench`."""
