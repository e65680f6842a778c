"""The child process that encodes: slides as files in, an MP4 out. Started by `slideshow`; imports nothing of Fleet.

H.264 in yuv420p with a closed group of pictures every two seconds, a silent AAC track, the index at the front. It
limits its own memory and processor time before it opens a file.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
from pathlib import Path
from typing import Any

FPS, SAMPLE_RATE = 24, 48_000
_SAMPLES = 1024


def main(folder: Path) -> None:
    """Encode `plan.json` of a folder into its `out.mp4`."""
    plan: dict[str, Any] = json.loads((folder / "plan.json").read_text())
    for kind, limit in (
        (resource.RLIMIT_AS, plan["memory_bytes"]),
        (resource.RLIMIT_CPU, plan["cpu_s"]),
        (resource.RLIMIT_FSIZE, plan["file_bytes"]),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (limit, limit))
    av: Any = importlib.import_module("av")
    from PIL import Image

    options = {"movflags": "+faststart"}
    with av.open(str(folder / "out.mp4"), "w", options=options) as out:
        out.metadata["title"], out.metadata["comment"] = plan["title"], plan["comment"]
        video = out.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = plan["width"], plan["height"], "yuv420p"
        video.thread_count = 1
        video.gop_size = 2 * FPS
        video.options = {"preset": "veryfast", "crf": "23", "rc-lookahead": "5", "flags": "+cgop"}
        audio = out.add_stream("aac", rate=SAMPLE_RATE, layout="stereo")
        audio.bit_rate = 128_000
        shown = 0
        for slide in plan["slides"]:
            with Image.open(folder / slide["file"]) as image:
                picture = image.convert("RGB")
            for _ in range(slide["frames"]):
                frame = av.VideoFrame.from_image(picture)
                frame.pts = shown
                out.mux(video.encode(frame))
                shown += 1
        out.mux(video.encode())
        _silence(av, out, audio, shown)


def _silence(av: Any, out: Any, audio: Any, frames: int) -> None:
    """Write a silent track as long as the video: some networks refuse a video without one."""
    for start in range(0, frames * SAMPLE_RATE // FPS, _SAMPLES):
        frame = av.AudioFrame(format="fltp", layout="stereo", samples=_SAMPLES)
        frame.sample_rate, frame.pts = SAMPLE_RATE, start
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        out.mux(audio.encode(frame))
    out.mux(audio.encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
