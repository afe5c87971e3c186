"""Linear maps through oneDNN are those of torch, with their gradients, however the operands lie in memory."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from bioblobs.models import products
from bioblobs.models.products import RECURRING, product, weight_gradient

ROWS = 2 * RECURRING


@pytest.fixture(params=["oneDNN", "MKL"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each test runs with the library that is taken, and without it."""
    name = str(request.param)
    if name == "MKL":
        monkeypatch.setattr(products, "_ONEDNN", None)
    elif products._ONEDNN is None:
        pytest.skip("this torch is built without oneDNN")
    return name


def layouts(rows: int, columns: int) -> dict[str, Tensor]:
    """One matrix dense, transposed, with gaps between rows, with gaps between columns, and repeated."""
    wide, tall = torch.randn(rows, columns + 7), torch.randn(columns + 7, rows)
    return {
        "dense": torch.randn(rows, columns),
        "transposed": torch.randn(columns, rows).t(),
        "rows apart": wide[:, 3 : 3 + columns],
        "columns apart": tall[3 : 3 + columns].t(),
        "repeated": torch.randn(1, columns).expand(rows, columns),
    }


@pytest.mark.parametrize(("width", "out"), [(5, 3), (40, 36), (6, 1), (1, 4)])
@pytest.mark.parametrize("lies", list(layouts(1, 1)))
@pytest.mark.usefixtures("library")
def test_products_are_those_of_float64(lies: str, width: int, out: int) -> None:
    x, weight = layouts(ROWS, width)[lies], layouts(out, width)[lies]
    bias, add = torch.randn(out), torch.randn(ROWS, out)
    exact = x.double() @ weight.double().t()
    close = {"atol": 1e-5, "rtol": 1e-5}
    torch.testing.assert_close(product(x, weight).double(), exact, **close)
    torch.testing.assert_close(product(x, weight, bias).double(), exact + bias, **close)
    torch.testing.assert_close(product(x, weight, add=add.clone()).double(), exact + add, **close)
    grad = layouts(ROWS, out)[lies]
    torch.testing.assert_close(weight_gradient(grad, x).double(), grad.double().t() @ x.double(), **close)


def test_only_numbers_of_rows_that_come_again_get_a_kernel_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(*_: object) -> Tensor:
        raise AssertionError("oneDNN was called")

    monkeypatch.setattr(products, "_ONEDNN", refused)
    x, weight = torch.randn(ROWS + 1, 8), torch.randn(4, 8)
    assert torch.equal(product(x, weight), F.linear(x, weight))
    assert torch.equal(product(x.double(), weight.double()), F.linear(x.double(), weight.double()))
    with pytest.raises(AssertionError, match="was called"):
        product(x[:ROWS], weight)
