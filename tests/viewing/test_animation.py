"""Films: one picture for each time, all on the same axes."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from meanfield.errors import FileProblem, InvalidInput, Unsupported
from meanfield.viewing import animation
from tests.viewing import experiments, runs


def pictures(path):
    with Image.open(path) as film:
        for number in range(film.n_frames):
            film.seek(number)
            yield np.asarray(film.convert("RGB")).astype(int)


def test_a_film_has_a_picture_for_each_frame(tmp_path):
    run = experiments.teacher()
    path = run.plot.animate(tmp_path / "x.gif", seconds=1.0)
    found = list(pictures(path))
    assert len(found) == len(run.frames)
    assert {picture.shape for picture in found} == {(480, 576, 3)}
    # The lower edge with its labels is the same in all, and what is inside moves.
    assert all(np.abs(picture[440:] - found[0][440:]).max() < 80 for picture in found)
    assert np.abs(found[-1] - found[0]).max() > 100
    with Image.open(path) as film:
        assert film.info["duration"] == 200


@pytest.mark.parametrize("name", ["distribution", "directions", "function", "radial", "decision"])
def test_every_figure_of_one_time(name, tmp_path):
    run = experiments.classes() if name == "decision" else experiments.teacher()
    path = run.plot.animate(tmp_path / "x.gif", name, times=[0.0, 2.0], size=(2.0, 2.0))
    assert len(list(pictures(path))) == 2


def test_densities_and_curves_share_their_axes(tmp_path):
    run = experiments.bumps("birth-death")
    for name in ("", "function"):
        path = run.plot.animate(tmp_path / "x.gif", name, times=[0.0, 4.0])
        first, second = pictures(path)
        assert np.abs(first[:, :30] - second[:, :30]).max() < 80


def test_what_is_no_film(tmp_path, monkeypatch):
    run = experiments.teacher()
    with pytest.raises(Unsupported, match="'energy': it is not of one time"):
        run.plot.animate(tmp_path / "x.gif", "energy")
    with pytest.raises(Unsupported, match="'marginals': it draws all times at once"):
        runs.shrinking().plot.animate(tmp_path / "x.gif", "marginals")
    with pytest.raises(FileProblem, match=r"the folder .* does not exist"):
        run.plot.animate(tmp_path / "nowhere" / "x.gif")
    with pytest.raises(InvalidInput, match=r"ends in \.gif or \.mp4"):
        run.plot.animate(tmp_path / "x.avi")
    monkeypatch.setattr(animation.shutil, "which", lambda _: None)
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(Unsupported, match="needs the program ffmpeg, which is not here"):
        run.plot.animate(tmp_path / "x.mp4")
    assert not list(tmp_path.iterdir())


def test_an_mp4_by_a_real_encoder(tmp_path):
    encoder = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    path = experiments.teacher().plot.animate(tmp_path / "x.mp4", seconds=2.5)
    found = subprocess.run([encoder, "-i", str(path)], capture_output=True, text=True).stderr
    assert "Video: h264" in found
    assert "576x480" in found
    assert "Duration: 00:00:02.50" in found


def test_ffmpeg_gets_the_pixels(tmp_path, monkeypatch):
    asked = []

    def encode(command, input, capture_output):
        asked.append((command, len(input)))
        return subprocess.CompletedProcess(command, 1, b"", b"first\nno such codec\n")

    monkeypatch.setattr(animation.shutil, "which", lambda _: "/bin/ffmpeg")
    monkeypatch.setattr(animation.subprocess, "run", encode)
    with pytest.raises(FileProblem, match="ffmpeg has failed: no such codec"):
        experiments.teacher().plot.animate(tmp_path / "x.mp4", seconds=2.5)
    ((command, size),) = asked
    assert command[command.index("-s") + 1] == "576x480"
    assert command[command.index("-r") + 1] == "2"
    assert size == 5 * 480 * 576 * 3
    assert not list(tmp_path.iterdir())
