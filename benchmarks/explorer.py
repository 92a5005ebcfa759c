"""How large the page of a run is, and how often a second a browser draws it.

``python -m benchmarks.explorer`` needs Chromium and playwright. Particles diffuse, which is the
hardest to compress; the browser draws without a graphics card.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

import meanfield as mf
from meanfield.viewing.explorer import View, view

SECONDS = 4
SIZES = [(5_000, 3, 2e6), (5_000, 11, 2e6), (50_000, 3, 2e6), (50_000, 3, 30e6)]
MEASURE = f"""async () => {{
    explorer.choose({{trails: 0}});
    explorer.toFrame(0);
    explorer.play(true);
    await new Promise((done) => setTimeout(done, 500));
    const first = explorer.drawn, begin = performance.now();
    await new Promise((done) => setTimeout(done, {SECONDS * 1000}));
    return (1000 * (explorer.drawn - first)) / (performance.now() - begin);
}}"""
ONE = """() => {
    const begin = performance.now();
    for (let frame = 0; frame < 50; frame++) {
        explorer.show.time = frame + 0.5;
        explorer.draw();
    }
    return (performance.now() - begin) / 50;
}"""


def diffusing(count: int, width: int) -> mf.Run:
    """Particles in 60 frames."""
    start = np.random.default_rng(0).standard_normal((count, width))
    ensemble = mf.Ensemble(start, layout=mf.Layout({"a": (), "w": (width - 1,)}))
    return mf.simulate(
        mf.Langevin(mf.L2() + 0.2 * mf.Entropy()),
        ensemble,
        scheme=mf.EulerMaruyama(0.05),
        until=2.95,
        observe=[mf.Energy()],
        frames=mf.evenly(60),
    )


def drawing(page: View, browser) -> tuple[float, float]:
    """Milliseconds for a draw, and draws for each second while it plays."""
    with tempfile.TemporaryDirectory() as folder:
        path = page.save(Path(folder) / "page.html").path
        shown = browser.new_page(viewport={"width": 1280, "height": 800})
        shown.goto(path.as_uri())
        shown.wait_for_selector("html[data-ready]", timeout=60_000)
        shown.evaluate(ONE)
        found = shown.evaluate(ONE), shown.evaluate(MEASURE)
        shown.close()
    return found


def main() -> None:
    """Print one line for each size."""
    with sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for count, width, most in SIZES:
            page = view(diffusing(count, width), most=int(most), show=False)
            each, rate = drawing(page, browser)
            print(f"{count:,} particles, {width} coordinates, at most {most / 1e6:g} MB:")
            size = len(page.page) / 1e6
            print(f"  {size:.2f} MB, {each:.1f} ms for a draw, {rate:.0f} per second")
            for sentence in page.said:
                print(f"  {sentence}")
        browser.close()


if __name__ == "__main__":
    main()
