"""What all tests share."""

import pytest

from tenon.tb import toolchain


@pytest.fixture
def icarus():
    """Skips where Icarus Verilog is not installed: it is optional."""
    try:
        toolchain.require("iverilog")
    except toolchain.ToolError as error:
        pytest.skip(str(error))
