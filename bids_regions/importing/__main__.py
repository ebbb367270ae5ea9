"""`python -m bids_regions.importing`."""

from bids_regions.importing.command import run

if __name__ == "__main__":
    run()
