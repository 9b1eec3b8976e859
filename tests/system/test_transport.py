"""Pictures larger than Fast DDS's default shared-memory segment arrive, because every process has the profile."""

from __future__ import annotations

import subprocess
import sys

from sensor_msgs.msg import Image

from tests.system.conftest import new_domain
from world2act import topics
from world2act.supervision.session import Session

COUNT = 40
PUBLISHER = f"""
import time
import numpy as np
from sensor_msgs.msg import Image
from world2act import topics
from world2act.conversions import image_to_message
from world2act.supervision.session import Session
with Session("publisher") as session:
    out = session.node.create_publisher(Image, "large", topics.reliable(5))
    assert session.wait(lambda: out.get_subscription_count() > 0, 30.0)
    time.sleep(0.5)
    for index in range({COUNT}):
        out.publish(image_to_message(np.full((720, 1280, 3), index, dtype=np.uint8), index, "scene"))
        time.sleep(0.04)
    time.sleep(1.0)
"""


def test_large_pictures_arrive(monkeypatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(new_domain()))
    pictures: list[Image] = []
    with Session("subscriber") as session:
        session.node.create_subscription(Image, "large", pictures.append, topics.newest(lockstep=False))
        publisher = subprocess.Popen([sys.executable, "-c", PUBLISHER])
        session.wait(lambda: len(pictures) == COUNT or publisher.poll() is not None, 60.0)
        assert publisher.wait(timeout=10) == 0
    # Best effort may lose a few on a busy machine; without the profile four of five are lost.
    assert len(pictures) >= 0.75 * COUNT
    assert all(picture.data[0] == picture.header.stamp.nanosec for picture in pictures)
