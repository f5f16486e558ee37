"""Published results of ComboLoss and of what it was compared with: numbers of others, on photographs.

They belong to other data than the studio's and stand in columns of their own. `TABLES` holds Tables 1 to 5 of Xu and
Xiang (ICASSP 2020). `LATER` holds what the authors published since, in README files beside their code; nobody else's
repetition of these experiments was found.
"""

import pandas as pd

__all__ = ["LATER", "TABLES", "later", "table"]

PAPER = "Xu and Xiang, ICASSP 2020"
CODE = "github.com/lucasxlu/ComboLoss, README at 006c2f4"
XCLOUD = "github.com/lucasxlu/XCloud, research/fbp/README"

# Table -> data and split, rows of model, MAE, RMSE, Pearson; Tables 1 and 2 have the correlation only.
TABLES: dict[int, tuple[str, tuple[tuple[str, float | None, float | None, float], ...]]] = {
    1: (
        "SCUT-FBP, five folds",
        (
            ("Combined features and Gaussian regression", None, None, 0.6482),
            ("CNN", None, None, 0.8187),
            ("Liu et al.", None, None, 0.6938),
            ("Xu et al.", None, None, 0.8570),
            ("KFME", None, None, 0.7988),
            ("RegionScatNet", None, None, 0.83),
            ("PI-CNN", None, None, 0.87),
            ("CRNet", None, None, 0.8723),
            ("HMTNet and ridge regression", None, None, 0.8977),
            ("ComboLoss", None, None, 0.9090),
        ),
    ),
    2: (
        "HotOrNot, five folds",
        (
            ("Eigenface", None, None, 0.180),
            ("Two-layer model", None, None, 0.438),
            ("Multiscale model", None, None, 0.458),
            ("S. Wang et al.", None, None, 0.437),
            ("Xu et al.", None, None, 0.468),
            ("CRNet", None, None, 0.482),
            ("ComboLoss", None, None, 0.503),
        ),
    ),
    3: (
        "SCUT-FBP5500, five folds",
        (
            ("ResNeXt-50", 0.2291, 0.3017, 0.8997),
            ("ResNet-18", 0.2419, 0.3166, 0.8900),
            ("AlexNet", 0.2651, 0.3481, 0.8634),
            ("HMTNet", 0.2380, 0.3141, 0.8912),
            ("AaNet", 0.2236, 0.2954, 0.9055),
            ("R2-ResNeXt", 0.2416, 0.3046, 0.8957),
            ("R3CNN", 0.2120, 0.2800, 0.9142),
            ("ComboLoss", 0.2050, 0.2704, 0.9199),
        ),
    ),
    4: (
        "SCUT-FBP5500, 60/40",
        (
            ("l1", 0.2191, 0.2918, 0.9030),
            ("mse", 0.2195, 0.2947, 0.9008),
            ("smooth_l1", 0.2194, 0.2869, 0.9064),
            ("smooth_huber", 0.2196, 0.2903, 0.9052),
            ("combo", 0.2126, 0.2813, 0.9117),
        ),
    ),
    5: (
        "SCUT-FBP5500, 60/40",
        (
            ("ResNet18, mse", 0.2313, 0.3054, 0.8946),
            ("ResNet18, combo", 0.2202, 0.2907, 0.9041),
            ("SE-ResNeXt50, mse", 0.2195, 0.2947, 0.9008),
            ("SE-ResNeXt50, combo", 0.2126, 0.2813, 0.9117),
        ),
    ),
}

# Data and split, run, MAE, RMSE, Pearson, source. The paper's weights of the terms are 2, 1, 1.
LATER = (
    ("SCUT-FBP5500, 60/40", "SE-ResNeXt50, mse", 0.2189, 0.2907, 0.9041, CODE),
    ("SCUT-FBP5500, 60/40", "SE-ResNeXt50, combo 2, 1, 1: first run", 0.2191, 0.2891, 0.9066, CODE),
    ("SCUT-FBP5500, 60/40", "SE-ResNeXt50, combo 2, 1, 1: second run", 0.2126, 0.2813, 0.9117, CODE),
    ("SCUT-FBP5500, 60/40", "SE-ResNeXt50, combo 1, 2, 1: first run", 0.2150, 0.2868, 0.9063, CODE),
    ("SCUT-FBP5500, 60/40", "SE-ResNeXt50, combo 1, 2, 1: second run", 0.2176, 0.2895, 0.9044, CODE),
    ("SCUT-FBP5500, 60/40", "SE-ResNeXt50, combo without class weights", 0.2115, 0.2814, 0.9099, CODE),
    ("SCUT-FBP5500, 60/40", "ResNet18, combo 2, 1, 1", 0.2557, 0.3362, 0.8780, CODE),
    ("SCUT-FBP5500, 60/40", "ResNet18, combo 1, 2, 1", 0.2202, 0.2907, 0.9041, CODE),
    ("SCUT-FBP5500, five folds", "SE-ResNeXt50, combo", 0.2050, 0.2704, 0.9199, CODE),
    ("SCUT-FBP5500, split not stated", "ComboLoss", 0.2170, 0.2742, 0.9177, XCLOUD),
    ("HotOrNot, five folds", "SE-ResNeXt50, combo", 0.8213, 1.0412, 0.5029, CODE),
)
COLUMNS = ["model", "MAE", "RMSE", "Pearson"]


def table(number: int) -> pd.DataFrame:
    """One of the paper's tables, 1 to 5: model, MAE, RMSE and Pearson correlation, with data and source."""
    data, rows = TABLES[number]
    return pd.DataFrame(rows, columns=COLUMNS).assign(data=data, source=f"{PAPER}, Table {number}")


def later() -> pd.DataFrame:
    """What the authors published later, with data and source."""
    columns = ["data", *COLUMNS, "source"]
    return pd.DataFrame(LATER, columns=columns)[[*COLUMNS, "data", "source"]]
