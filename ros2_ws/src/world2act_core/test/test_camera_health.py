"""What is found wrong with pictures, when it becomes a fault, and what is no fault."""

from __future__ import annotations

import numpy as np
import pytest

from world2act_core.cameras.faults import FaultLatch, Finding
from world2act_core.cameras.hand import NOWHERE, HandLog, distance_between
from world2act_core.cameras.health import CameraHealth, HealthLimits
from world2act_core.cameras.looks import same_pixels

MS = 1_000_000
START = 1_700_000_000_000 * MS
REST = np.zeros((1, 3))
STEP = 33 * MS


class Camera:
    """A camera at 30 Hz; `hand` is where the hand is."""

    def __init__(self, **limits: object) -> None:
        self.health = CameraHealth(HealthLimits(**limits))
        self.now = START
        self.hand = REST
        self.scene = np.random.default_rng(7).integers(40, 200, (48, 64, 3), np.uint8)
        self._noise = np.random.default_rng(8)

    @property
    def fault(self) -> str:
        return self.health.fault.name if self.health.fault else ""

    def noisy(self) -> np.ndarray:
        """The scene with the noise of a sensor."""
        return self.scene + self._noise.integers(0, 3, self.scene.shape, np.uint8)

    def send(self, image: np.ndarray | None = None, delay: int = 30 * MS, shift: int = 0) -> bool:
        self.now += STEP
        image = self.noisy() if image is None else image
        return self.health.check(image, self.now - delay + shift, self.now, self.hand)


def test_a_static_scene_with_noise_is_good_however_the_hand_moves() -> None:
    camera = Camera()
    for number in range(50):
        camera.hand = np.array([[0.01 * number, 0.0, 0.0]])
        assert camera.send()
    assert camera.fault == ""


def test_a_noise_free_picture_may_stay_the_same_while_the_hand_rests() -> None:
    camera = Camera()
    assert all(camera.send(camera.scene.copy()) for _ in range(200))
    camera.hand = np.array([[0.019, 0.0, 0.0]])  # less than what must be seen
    assert camera.send(camera.scene.copy())


def test_the_same_picture_with_the_hand_elsewhere_is_frozen() -> None:
    camera = Camera()
    camera.send(camera.scene.copy())
    camera.hand = np.array([[0.0, 0.03, 0.0]])
    used = [camera.send(camera.scene.copy()) for _ in range(3)]
    assert used == [False] * 3, "not one of them may be used, whether or not the fault has a name yet"
    assert camera.fault == "CAMERA_FROZEN"
    # The arm holds by now: the picture is still wrong.
    assert not camera.send(camera.scene.copy()) and camera.fault == "CAMERA_FROZEN"
    assert [camera.send() for _ in range(5)] == [False] * 4 + [True]
    assert camera.fault == ""


def test_a_camera_that_was_restarted_is_judged_anew() -> None:
    """The arm holds because of the fault, so nothing moves, and without noise nothing changes."""
    camera = Camera()
    camera.send(camera.scene.copy())
    camera.hand = np.array([[0.1, 0.0, 0.0]])
    for _ in range(10):
        camera.send(camera.scene.copy())
    assert camera.fault == "CAMERA_FROZEN"
    camera.now += 2000 * MS
    assert [camera.send(camera.scene.copy()) for _ in range(6)] == [False] * 4 + [True] * 2 and camera.fault == ""


def test_frozen_needs_known_hands_and_can_be_switched_off() -> None:
    blind, off = Camera(), Camera(frozen_motion_m=float("inf"))
    blind.hand = NOWHERE
    for number in range(20):
        off.hand = np.array([[0.1 * number, 0.0, 0.0]])
        assert blind.send(blind.scene) and off.send(off.scene)


def test_a_frozen_time_counts_at_rest() -> None:
    camera = Camera(frozen_ns=500 * MS)
    used = [camera.send(camera.scene.copy()) for _ in range(20)]
    assert used[:15] == [True] * 15 and not any(used[16:]) and camera.fault == "CAMERA_FROZEN"


@pytest.mark.parametrize(
    ("value", "name"), [(0, "CAMERA_BLACK"), (9, "CAMERA_BLACK"), (252, "CAMERA_SATURATED"), (255, "CAMERA_SATURATED")]
)
def test_black_and_white_are_named_after_three_and_over_after_five(value: int, name: str) -> None:
    camera = Camera()
    camera.send()
    picture = np.full((48, 64, 3), value, np.uint8)
    assert [camera.send(picture) for _ in range(2)] == [False, False] and camera.fault == ""
    assert not camera.send(picture) and camera.fault == name
    assert [camera.send() for _ in range(5)] == [False] * 4 + [True] and camera.fault == ""


def test_a_dark_scene_with_a_lamp_is_not_black() -> None:
    camera = Camera()
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[10:20, 10:20] = 90
    assert camera.send(picture)


def test_another_size_and_a_small_picture() -> None:
    camera = Camera(smallest=(32, 32))
    assert camera.send()
    for _ in range(3):
        assert not camera.send(np.full((30, 40, 3), 99, np.uint8))
    assert camera.fault == "CAMERA_WRONG_SIZE" and "are 40 x 30, expected were 64 x 48" in camera.health.fault.text
    small = Camera(smallest=(128, 128))
    assert not any(small.send() for _ in range(3))
    assert "are 64 x 48, expected were 128 x 128 or more" in small.health.fault.text


def test_stamps_that_jump_back_are_a_fault_at_once() -> None:
    camera = Camera()
    camera.send()
    assert not camera.send(shift=-5000 * MS)
    assert camera.fault == "CAMERA_CLOCK" and "jumped back by 4.97 s" in camera.health.fault.text
    for _ in range(10):  # the new clock stays behind: still the clock, not a slow link
        assert not camera.send(shift=-5000 * MS) and camera.fault == "CAMERA_CLOCK"
    assert any(camera.send() for _ in range(6)) and camera.fault == ""


@pytest.mark.parametrize(
    ("shift", "delay", "name", "text"),
    [
        (0, 500 * MS, "CAMERA_LATE", "are 0.50 s old when they come in, 0.4 s are allowed"),
        (400 * MS, 0, "CAMERA_CLOCK", "0.40 s ahead of this machine's clock"),
        (-START - 10_000 * STEP, 0, "CAMERA_CLOCK", "carry no stamp"),
    ],
)
def test_stamps_that_do_not_fit_our_clock(shift: int, delay: int, name: str, text: str) -> None:
    camera = Camera()
    assert not any(camera.send(delay=delay, shift=shift) for _ in range(3))
    assert camera.fault == name and text in camera.health.fault.text


def test_one_stamp_for_all_and_one_late_picture() -> None:
    camera = Camera()
    camera.send()
    stuck = camera.now
    for _ in range(3):
        camera.now += STEP
        assert not camera.health.check(camera.noisy(), stuck - 30 * MS, camera.now, REST)
    assert camera.fault == "CAMERA_CLOCK" and "stand still" in camera.health.fault.text
    camera = Camera()
    camera.send()
    assert not camera.send(delay=450 * MS), "out of order and late: not used"
    assert camera.send() and camera.fault == ""


def test_a_latch_follows_what_is_found() -> None:
    latch = FaultLatch(enter=2, leave=2)
    a, b = Finding("A", ""), Finding("B", "")
    names = []
    for finding in (a, None, a, a, None, a, None, None, a, b, b, a, a, None, None):
        latch.update(finding)
        names.append(latch.fault.name if latch.fault else "-")
    assert "".join(names) == "---AAAA---BBAA-"
    with pytest.raises(ValueError, match="at least 1"):
        FaultLatch(enter=0)


def test_same_pixels_sees_a_single_value() -> None:
    for shape in ((480, 640, 3), (7, 5, 3)):
        one = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        other = one.copy()
        assert same_pixels(one, other) and same_pixels(one[:, ::-1], other[:, ::-1])
        other[-1, -1, 2] ^= 1
        assert not same_pixels(one, other)
    assert not same_pixels(one, one[:-1])


def test_where_the_hand_was() -> None:
    log = HandLog()
    assert len(log.between(0, 0)) == 0
    for number in range(100):
        log.add(number * 10 * MS, (0.01 * number, 0.0, 0.0))
    assert np.allclose(log.between(501 * MS, 501 * MS)[:, 0], 0.5)
    found = log.between(200 * MS, 500 * MS)[:, 0]
    assert found.min() == pytest.approx(0.2) and found.max() == pytest.approx(0.5) and len(found) <= 16
    assert len(log.between(2000 * MS, 2000 * MS)) == 0, "nothing is known of that time"
    assert distance_between(log.between(0, 100 * MS), log.between(300 * MS, 400 * MS)) == pytest.approx(0.2)


def test_a_picture_of_unknown_age_is_not_frozen_while_it_may_be_from_before_the_motion() -> None:
    """A stream that is 0.2 s late, without noise: the hand has moved 5 cm before the picture can show it."""
    log, camera = HandLog(), Camera()
    truth = []
    for number in range(60):
        at = max(0.0, min(1.0, (number - 20) / 20)) * 0.4
        log.add(START + number * STEP, (at, 0.0, 0.0))
        truth.append(np.roll(camera.scene, round(at * 100), axis=1))
        shown = truth[max(0, number - 6)]
        stamp = START + number * STEP
        hands = log.between(stamp - 300 * MS, stamp)
        assert camera.health.check(shown, stamp, stamp, hands), number
    assert camera.fault == ""
