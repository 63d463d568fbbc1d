"""A data directory in which every kind of file stands: what a gateway leaves that was killed in the middle of its work."""

import os
import shutil
import subprocess
import sys

from support import configuration, eventually, message, program, scenario

#: The least that `serve` takes.
SEGMENT_BYTES = 65_536


def mixed_log(case, sealed=2):
    """The directory of a killed gateway: sealed segments, a finished one with its index and one without, and the open one.

    A gateway seals a finished segment at once. The two that are to be found unsealed are therefore kept by a second link
    while they grow, and put back in the place of what was made of them.
    """
    box = case.gateway(
        configuration(case.simulator(scenario())), "--segment-bytes", str(SEGMENT_BYTES))
    seg, kept = box.data / "seg", case.directory / "kept"
    kept.mkdir()
    names = []
    while len(names) < sealed + 3:
        for _ in range(10):
            case.assertEqual(box.chat(message()).status, 200)
        for path in seg.glob("*.esl"):
            if path.name not in names:
                os.link(path, kept / path.name)
                names.append(path.name)
    names.sort()
    eventually(
        lambda: sorted(path.suffix for path in seg.iterdir())
        == [".esl"] + [".sealed"] * (len(names) - 1), "all finished segments sealed")
    # Some events in the open segment, the last of them not yet witnessed.
    for _ in range(10):
        case.assertEqual(box.chat(message()).status, 200)
    box.kill()
    # What a killed gateway leaves; copytree cannot copy it.
    (box.data / "control.sock").unlink()
    for name in names[-3:-1]:
        shutil.copy(kept / name, seg / name)
        (seg / name).with_suffix(".sealed").unlink()
    # The index of the first of the two, made in a copy: opening for writing would change the end of the log.
    copy = case.directory / "copy"
    shutil.copytree(box.data, copy)
    subprocess.run([program("torture"), "seal", str(copy), "--steps", "1"], check=True,
                   capture_output=True)
    beside = names[-3].replace(".esl", ".idx")
    shutil.copy(copy / "seg" / beside, seg / beside)
    shutil.rmtree(copy)
    shutil.rmtree(kept)
    return box
