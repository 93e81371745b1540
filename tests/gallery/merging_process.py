"""Merges two people and undoes it, again and again, and tells when it begins; killed by tests.

python -m tests.gallery.merging_process GALLERY NAME OTHER
"""

from __future__ import annotations

import sys

from facekit.gallery.open import open_gallery


def main(url: str, name: str, other: str) -> None:
    with open_gallery(url) as gallery:
        while True:
            print("merging", flush=True)
            if gallery.merge(name, other) is None:
                assert gallery.unmerge(name, other) is not None


if __name__ == "__main__":
    main(*sys.argv[1:])
