"""Published numbers: complete, in range, and what they say of themselves."""

import pytest

from kinlib.attractiveness.losses import LOSSES
from kinlib.attractiveness.published import TABLES, later, table


@pytest.mark.parametrize("number", TABLES)
def test_tables_are_whole_and_combo_loss_leads_each(number):
    found = table(number)
    assert found["Pearson"].between(0, 1).all() and (found["RMSE"].dropna() > found["MAE"].dropna()).all()
    assert "combo" in found.loc[found["Pearson"].idxmax(), "model"].casefold()
    assert found["source"].str.endswith(f"Table {number}").all()


def test_the_losses_of_table_4_have_our_names():
    assert set(table(4)["model"]) <= set(LOSSES)


def test_runs_at_one_setting_differ_as_much_as_the_losses_do():
    runs = later().set_index("model")["Pearson"]
    first, second = (runs[f"SE-ResNeXt50, combo 2, 1, 1: {name} run"] for name in ("first", "second"))
    assert second == table(4).set_index("model")["Pearson"]["combo"]
    assert second - first > first - runs["SE-ResNeXt50, mse"]
