"""`python -m bids_regions.importing`."""

from bids_regions.importing.cli import run

if __name__ == "__main__":
    run()
