"""The contract of the Tabletop world, written once for simulator, data, training and bundles."""

from __future__ import annotations

from world2act_core.contract import ActionDim, CameraSpec, Contract, StateDim, TextEncoderSpec
from world2act_core.vocabulary import TABLETOP_VOCABULARY, Vocabulary

TEXT_ENCODER = TextEncoderSpec(name="all-minilm-l6-v2", dim=384)


def tabletop_contract(
    robot: str = "Panda", image_size: int = 96, vocabulary: Vocabulary = TABLETOP_VOCABULARY
) -> Contract:
    """Two square cameras of `image_size` pixels, state [10], action [7] at 10 Hz, chunks of 8 of which 4 are executed.

    Action deltas are relative to the end-effector pose measured when the action is executed.
    """
    return Contract(
        robot=robot,
        cameras=(
            CameraSpec(name="scene", view="scene", width=image_size, height=image_size),
            CameraSpec(name="wrist", view="wrist", width=image_size, height=image_size),
        ),
        state=(
            StateDim(name="eef_position", size=3, unit="m", frame="base", representation="position"),
            StateDim(name="eef_rotation", size=6, unit="1", frame="base", representation="rotation_6d"),
            StateDim(name="gripper_width", size=1, unit="m", frame="none", representation="width"),
        ),
        action=(
            ActionDim(
                name="delta_position", size=3, unit="m", mode="delta", frame="base", representation="position",
                low=(-0.05,) * 3, high=(0.05,) * 3,
            ),
            ActionDim(
                name="delta_rotation", size=3, unit="rad", mode="delta", frame="base", representation="axis_angle",
                low=(-0.5,) * 3, high=(0.5,) * 3,
            ),
            ActionDim(
                name="gripper", size=1, unit="1", mode="absolute", frame="none", representation="gripper",
                low=(-1.0,), high=(1.0,),
            ),
        ),
        control_hz=10.0,
        observation_hz=10.0,
        chunk_length=8,
        execute_steps=4,
        vocabulary=vocabulary,
        text_encoder=TEXT_ENCODER,
    )  # fmt: skip
