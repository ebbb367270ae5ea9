"""`python -m bids_regions`."""

from bids_regions.cli import run

if __name__ == "__main__":
    run()
