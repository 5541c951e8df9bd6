"""Finished runs with several sizes of images, as the tests of inspection have them."""

from tests.inspection.conftest import copied, finished, mixed_data

__all__ = ["copied", "finished", "mixed_data"]
