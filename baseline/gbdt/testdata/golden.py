"""Writes golden.json.gz: small tables and what scikit-learn's HistGradientBoosting predicts for them.

    python golden.py      (needs numpy and scikit-learn; run by hand, tests only read its output)
"""
import gzip
import json

import numpy as np
import sklearn
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

rng = np.random.default_rng(7)


def table(n, missing):
    x = rng.normal(size=(n, 5)).astype(np.float32)
    x[:, 3] = rng.integers(0, 9, n)
    x[:, 4] = np.round(x[:, 4] * 4) / 4
    if missing:
        x[rng.random(n) < 0.15, 1] = np.nan
        x[rng.random(n) < 0.1, 3] = np.nan
    score = x[:, 0] * 2 + np.where(np.isnan(x[:, 1]), 1.5, x[:, 1]) ** 2 + np.isin(x[:, 3], [1, 4, 6]) * 2.0 + rng.normal(size=n) * 0.5
    return x, score


cases = []
for name, classes, missing, cat, more in [
    ("regression", 0, False, False, {}), ("regression, missing, categories", 0, True, True, {"l2_regularization": 1.0}),
    ("two classes", 2, False, False, {}), ("two classes, missing, categories", 2, True, True, {"max_leaf_nodes": 7}),
    ("three classes, missing, categories", 3, True, True, {"min_samples_leaf": 5, "max_iter": 20}),
    ("few bins", 0, True, False, {"max_bins": 12}),
]:
    x, s = table(500, missing)
    test, _ = table(200, missing)
    args = dict(early_stopping=False, categorical_features=[3] if cat else None, max_iter=40) | more
    if classes == 0:
        y = np.round(s, 6)
        p = HistGradientBoostingRegressor(**args).fit(x, y).predict(test)[:, None]
    else:
        y = np.digitize(s, np.quantile(s, np.arange(1, classes) / classes)).astype(float)
        p = HistGradientBoostingClassifier(**args).fit(x, y).predict_proba(test)
    clean = lambda a: [None if np.isnan(v) else float(v) for v in a.ravel()]
    cases.append(dict(name=name, classes=classes, dim=5, categorical=cat, args={k: v for k, v in args.items() if k != "categorical_features"},
                      x=clean(x), y=clean(y), test=clean(test), want=clean(p)))
with gzip.GzipFile("golden.json.gz", "wb", mtime=0) as f:
    f.write(json.dumps(dict(sklearn=sklearn.__version__, cases=cases)).encode())
