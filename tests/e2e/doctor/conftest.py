import pytest
from support.stack import open_folder


@pytest.fixture
def tmp_path():
    with open_folder() as folder:
        yield folder
