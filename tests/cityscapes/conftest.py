import pytest
from city_tree import make_cityscapes


@pytest.fixture
def root(tmp_path):
    """Give a small folder shaped like Cityscapes."""
    return make_cityscapes(tmp_path / "cityscapes")
