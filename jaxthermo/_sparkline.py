"""Small pictures inside a notebook's table of a result, as SVG written by hand: they need no plotting library."""

import numpy as np

# More points than this cannot be seen.
MOST = 200
STYLE = 'fill="none" stroke="#0072b2" stroke-width="1.2" vector-effect="non-scaling-stroke"'


def sparkline(x: np.ndarray, y: np.ndarray, width: int = 120, height: int = 24) -> str:
    """A line through the points, cut where one of them is not a number; empty where there is nothing to see.

    width, height   in pixels
    """
    if x.ndim != 1 or x.shape != y.shape:
        return ""
    chosen = np.unique(np.linspace(0, len(x) - 1, min(len(x), MOST)).round().astype(int))
    sides = [_scaled(values[chosen], size) for values, size in ((x, width), (-y, height))]
    known = np.isfinite(sides[0] + sides[1])
    if np.sum(known) < 2:
        return ""
    begins = known & ~np.concatenate([[False], known[:-1]])
    points = zip(*(side[known] for side in sides), begins[known], strict=True)
    path = "".join(f"{'M' if new else 'L'}{a:.1f} {b:.1f}" for a, b, new in points)
    box = f'width="{width}" height="{height}" viewBox="-1 -1 {width + 2} {height + 2}"'
    return f'<svg {box} role="img"><path d="{path}" {STYLE}/></svg>'


def _scaled(values: np.ndarray, size: int) -> np.ndarray:
    """From 0 to size; in the middle where nothing changes."""
    values = np.where(np.isfinite(values), values.astype(float), np.nan)
    if not np.any(np.isfinite(values)):
        return values
    low, high = np.nanmin(values), np.nanmax(values)
    return np.full(len(values), 0.5 * size) + 0 * values if high == low else size * (values - low) / (high - low)
