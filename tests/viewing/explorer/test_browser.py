"""The page in a real Chromium, without a network: what it draws, and what it does when asked.

Skipped where there is no Chromium, unless MEANFIELD_BROWSER=required.
"""

import functools
import os
import shutil

import numpy as np
import pytest
from scipy.stats import rankdata

from meanfield.ensemble import Ensemble
from meanfield.viewing.explorer import view
from tests.viewing import runs
from tests.viewing.explorer.test_page import EXPERIMENT, NASTY, RUNS, nasty

ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
# How many pixels are not grey, as paper and lines are, and their centre.
PAINTED = """() => {
    const {width, height, words} = explorer.scatter.pixels, ratio = explorer.scatter.ratio;
    let count = 0, x = 0, y = 0;
    words.forEach((word, k) => {
        const red = word & 255, green = (word >> 8) & 255, blue = (word >> 16) & 255;
        if (Math.max(red, green, blue) - Math.min(red, green, blue) < 3) return;
        count += 1; x += k % width + 0.5; y += Math.floor(k / width) + 0.5;
    });
    return [count, x / count / ratio, y / count / ratio];
}"""


def missing(what):
    if os.environ.get("MEANFIELD_BROWSER") == "required":
        pytest.fail(f"MEANFIELD_BROWSER=required, but {what}")
    pytest.skip(what)


@pytest.fixture(scope="module")
def chromium():
    """A browser with a new, empty profile."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        missing("there is no Chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright is not installed")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def desk(chromium):
    """A page on a screen of usual size."""
    context = chromium.new_context(offline=True, viewport={"width": 1280, "height": 800})
    yield context.new_page()
    context.close()


@pytest.fixture
def explore(chromium, desk, tmp_path):
    """Open the page of a run; in the end it has asked for nothing and complained of nothing."""
    complaints, asked, opened = [], [], []
    listeners = {
        "console": lambda message: complaints.append(message.text),
        "pageerror": lambda error: complaints.append(str(error)),
        "dialog": lambda dialog: complaints.append(dialog.message),
        "request": lambda request: asked.append(request.url),
    }

    def open_page(run, html=None, ready="html[data-ready]", **options):
        path = tmp_path / f"page-{len(opened)}.html"
        path.write_text(html or view(run, show=False).page, encoding="utf-8")
        page = chromium.new_context(offline=True, **options).new_page() if options else desk
        opened.append(page)
        for event, listener in listeners.items():
            page.on(event, listener)
        page.goto(path.as_uri())
        page.wait_for_selector(ready)
        settle(page)
        return page

    yield open_page
    for page in opened:
        if page is not desk:
            page.context.close()
    for event, listener in listeners.items() if desk in opened else ():
        desk.remove_listener(event, listener)
    assert complaints == []
    assert all(url.startswith(("file:", "about:srcdoc", "data:,")) for url in asked)
    assert len([url for url in asked if url.startswith("file:")]) == len(opened)


def settle(page):
    """Wait until what was asked for is drawn."""
    page.evaluate("() => new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)))")


def dots(page):
    settle(page)
    return page.evaluate("() => document.getElementById('dots').toDataURL()")


def marks(page):
    settle(page)
    return page.evaluate("() => document.getElementById('marks').toDataURL()")


def frame_of(page):
    return page.evaluate("() => explorer.show.time")


def place_of(page, i):
    """Where a particle is on the screen."""
    return page.evaluate(
        """(i) => {
            const {scatter, movie, show} = explorer, box = scatter.plot.getBoundingClientRect();
            return [box.left + scatter.toX(movie.at(show.x, show.time)[i]),
                    box.top + scatter.toY(movie.at(show.y, show.time)[i])];
        }""",
        i,
    )


def followed(page):
    """What stands beside the picture of the particle that is followed, by name."""
    settle(page)
    entries = page.locator("#particle div").all()
    texts = [(e.locator(".name").inner_text(), e.locator(".value").inner_text()) for e in entries]
    return {name: float(value.replace("−", "-")) for name, value in texts if "·" not in value}


@functools.cache
def experiment_run():
    from meanfield.config import Experiment

    return Experiment(EXPERIMENT | {"run": {**EXPERIMENT["run"], "title": "<b>5 & 6</b>"}}).run()


ALL = {
    **RUNS,
    "diverged": runs.diverged,
    "no frames": lambda: runs.second_seed_diverged().replica(3),
    "experiment": experiment_run,
    "over decades": runs.over_decades,
}


@pytest.mark.parametrize("name", ALL)
def test_every_run_has_a_page(explore, name):
    run = ALL[name]()
    page = explore(run)
    assert page.locator("#problem").is_hidden()
    assert page.locator(".panel").count() > 0 or not run.names
    assert page.locator("#stage").is_visible() == (len(run.frames) > 0)
    if len(run.frames):
        assert page.evaluate("() => new Set(explorer.scatter.pixels.words).size") > 2


@pytest.mark.parametrize("ratio", [1, 2])
def test_a_particle_is_drawn_where_the_axes_say(explore, ratio):
    run = runs.shrinking(2, 1)
    page = explore(run, device_scale_factor=ratio)
    before = dots(page)
    for number in (0, 3):
        page.evaluate(f"explorer.toFrame({number})")
        settle(page)
        _, x, y = page.evaluate(PAINTED)
        # The window, and the edges of the plane, give the number back from the pixels.
        left, right, bottom, top = page.evaluate(
            "() => [...explorer.scatter.window.x, ...explorer.scatter.window.y]"
        )
        inner = page.evaluate("() => explorer.scatter.inner")
        share = (x - inner["left"]) / (inner["right"] - inner["left"])
        height = (inner["bottom"] - y) / (inner["bottom"] - inner["top"])
        found = [left + share * (right - left), bottom + height * (top - bottom)]
        pixel = (right - left) / (inner["right"] - inner["left"])
        np.testing.assert_allclose(found, run.frames[number].position[0], atol=0.5 * pixel)
    assert dots(page) != before


def test_the_slider_moves_the_particles_and_the_cursor(explore):
    page = explore(runs.teacher_student())
    before, cursor = dots(page), page.locator(".cursor").first.bounding_box()["x"]
    page.locator("#slider").focus()
    page.keyboard.press("ArrowRight")
    assert frame_of(page) == 1
    assert dots(page) != before
    assert page.locator(".cursor").first.bounding_box()["x"] > cursor
    assert "frame 2 of 5" in page.locator("#clock").inner_text()
    page.locator("#slider").press("Home")
    assert dots(page) == before


def test_play_goes_on_to_the_end_and_stops(explore):
    page = explore(runs.teacher_student())
    page.locator("#speed").select_option("4")
    page.locator("#play").click()
    page.wait_for_function("() => explorer.show.time > 0")
    page.wait_for_function("() => !explorer.playing")
    assert frame_of(page) == 4
    assert page.locator("#play").get_attribute("aria-label") == "Play"


def test_keys(explore):
    page = explore(runs.teacher_student())
    page.locator("#plot").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert frame_of(page) == 1
    page.keyboard.press("End")
    assert frame_of(page) == 4
    page.keyboard.press(" ")
    assert page.evaluate("() => explorer.playing && explorer.show.time < 4")
    page.keyboard.press(" ")
    assert not page.evaluate("() => explorer.playing")
    page.evaluate("explorer.toFrame(2)")
    page.locator("#slider").focus()  # where arrows are its own, and move one frame too
    page.keyboard.press("ArrowLeft")
    assert frame_of(page) == 1
    page.keyboard.press(" ")
    assert page.evaluate("() => explorer.playing")


def test_a_click_follows_a_particle_and_tells_its_values(explore):
    run = runs.teacher_student()
    page = explore(run)
    plain = marks(page)
    page.mouse.click(*place_of(page, 3))
    assert page.locator("#particle h2").inner_text().startswith("Particle 3")
    for number in (0, 4):
        page.evaluate(f"explorer.toFrame({number})")
        values, frame = followed(page), run.frames[number]
        exact = dict(zip(run.layout.labels, frame.position[3], strict=True))
        exact |= {"|w|": np.linalg.norm(frame.w[3]), "mass": frame.mass[3]}
        exact["angle of w"] = np.arctan2(frame.w[3, 1], frame.w[3, 0]) / np.pi
        for name in set(exact) & set(values):
            assert values[name] == pytest.approx(exact[name], abs=3e-4)
        assert len(set(exact) & set(values)) >= 4
    assert marks(page) != plain
    own = page.locator(".panel").first
    assert "particle 3" in own.inner_text()
    page.keyboard.press("Escape")
    page.evaluate("explorer.toFrame(0)")
    assert marks(page) == plain
    assert page.locator("#particle").is_hidden()


def test_choices_change_the_picture(explore):
    page = explore(runs.teacher_student())
    page.evaluate("explorer.toFrame(4)")
    pictures = [dots(page)]
    changes = [("#x", "a"), ("#colour", "w[1]"), ("#when", "start"), ("#size", "m|a||w|")]
    for choice, value in [*changes, ("#trails", "1000"), ("#y", "|w|")]:
        page.locator(choice).select_option(value)
        pictures.append(dots(page))
    assert len(set(pictures)) == len(pictures)


def test_a_click_in_a_curve_goes_to_the_frame_of_that_time(explore):
    run = runs.teacher_student()
    page = explore(run)
    box = page.locator(".panel canvas").first.bounding_box()
    inside = box["width"] - 60  # between the margins of 52 and 8 pixels
    for time in (0.74, 0.26):
        page.mouse.click(box["x"] + 52 + time * inside, box["y"] + 40)
        assert frame_of(page) == np.abs(run.frames.times - time).argmin()
    settle(page)
    value = page.locator(".panel .value").first.inner_text()
    assert float(value) == pytest.approx(
        float(run["energy"].sel(time=0.25, method="nearest")), rel=1e-3
    )


def test_drag_moves_and_wheel_zooms(explore):
    page = explore(runs.teacher_student())
    x, y = place_of(page, 0)
    page.mouse.move(x - 5, y - 5)
    page.mouse.down()
    page.mouse.move(x + 35, y + 15, steps=3)
    page.mouse.up()
    np.testing.assert_allclose(place_of(page, 0), [x + 40, y + 20], atol=1e-3)
    assert page.locator("#particle").is_hidden()
    page.mouse.move(x + 40, y + 20)
    other = np.array(place_of(page, 1))
    before = page.evaluate("() => explorer.scatter.window.x[0]")
    page.mouse.wheel(0, -100)
    page.wait_for_function("(x) => Math.abs(x - explorer.scatter.window.x[0]) > 1e-9", arg=before)
    np.testing.assert_allclose(place_of(page, 0), [x + 40, y + 20], atol=0.1)
    farther = np.array(place_of(page, 1)) - [x + 40, y + 20]
    np.testing.assert_allclose(farther, np.exp(0.15) * (other - [x + 40, y + 20]), atol=0.5)
    page.locator("#whole").click()
    np.testing.assert_allclose(place_of(page, 0), [x, y], atol=1e-3)


@pytest.mark.parametrize("name", ["neurons", "outputs"])
def test_what_the_page_makes_of_the_numbers_is_right(explore, name):
    from meanfield.viewing.explorer.quantities import summaries

    run = RUNS[name]()
    page = explore(run)
    for quantity in summaries(run.frames[-1]):
        made = page.evaluate("(name) => Array.from(explorer.movie.table(name))", quantity.name)
        exact = np.array([quantity.values(frame) for frame in run.frames])
        np.testing.assert_allclose(np.reshape(made, exact.shape), exact, atol=5e-4)


def test_one_coordinate_is_drawn_over_the_share_of_mass_below(explore):
    run = runs.shrinking()
    page = explore(run)
    assert page.locator("#y").input_value() == "share below x[0]"
    shares = page.evaluate("() => Array.from(explorer.movie.at(explorer.show.y, 2))")
    exact = (rankdata(run.frames[2].position[:, 0]) - 0.5) / 9
    np.testing.assert_allclose(shares, exact, atol=1e-6)


def test_an_angle_takes_the_short_way(explore):
    page = explore(runs.still(Ensemble(np.array([[-1.0, 1e-3]]))))
    page.evaluate("() => explorer.movie.table('angle of x').set([0.9, -0.9])")
    (middle,) = page.evaluate("() => Array.from(explorer.movie.at('angle of x', 0.25))")
    assert middle == pytest.approx(0.95)


def test_between_frames_particles_are_on_straight_lines(explore):
    run = runs.teacher_student()
    page = explore(run)
    middle = page.evaluate("() => Array.from(explorer.movie.at('w[0]', 1.25))")
    exact = 0.75 * run.frames[1].w[:, 0] + 0.25 * run.frames[2].w[:, 0]
    np.testing.assert_allclose(middle, exact, atol=1e-4)


def test_a_title_is_text(explore):
    page = explore(nasty())
    assert page.title() == NASTY.replace("\u2028", " ") or page.title() == NASTY
    assert page.locator("h1").evaluate("(h) => h.textContent") == NASTY
    assert page.locator("h1").evaluate("(h) => h.childElementCount") == 0
    assert page.locator("#x").input_value() == "<i>x"


def test_parameters_and_provenance_are_there(explore):
    run = experiment_run()
    page = explore(run)
    page.locator("#parameters summary").click()
    assert page.locator("#parameters pre").inner_text().strip() == run.experiment.strip()
    page.locator("#provenance summary").click()
    assert np.__version__ in page.locator("#provenance").inner_text()
    page.locator("#about-page summary").click()
    assert "4 particles in 3 frames, seed 5." in page.locator("#about-page").inner_text()


def test_the_page_works_inside_a_notebook(explore):
    run = runs.teacher_student()
    html = f"<!doctype html><body>{view(run, show=False)._repr_html_()}"
    page = explore(run, html, ready="iframe")
    frame = page.frames[-1]
    frame.wait_for_selector("html[data-ready]")
    frame.locator("#slider").press("ArrowRight")
    assert frame.evaluate("() => explorer.show.time") == 1


def test_a_dark_room_has_a_dark_page_and_a_phone_one_column(explore):
    phone = {"width": 390, "height": 800}
    page = explore(runs.teacher_student(), color_scheme="dark", viewport=phone)
    corner = page.evaluate("() => explorer.scatter.pixels.words[0] & 0xffffff")
    assert corner < 0x404040
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    stage, series = (page.locator(name).bounding_box() for name in ("#stage", "#series"))
    assert series["y"] >= stage["y"] + stage["height"]


def test_a_browser_that_cannot_unpack_says_so(chromium, tmp_path):
    (tmp_path / "page.html").write_text(view(runs.shrinking(), show=False).page, encoding="utf-8")
    page = chromium.new_page()
    page.add_init_script("delete window.DecompressionStream")
    page.goto((tmp_path / "page.html").as_uri())
    page.wait_for_selector("#problem:not([hidden])")
    assert "too old" in page.locator("#problem").inner_text()
    page.close()
