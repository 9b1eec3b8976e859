"""The layout that shows the stream of `world2act foxglove`: import it in Foxglove with "Import from file"."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from foxglove import layouts as fl

from world2act.conversions import BASE_FRAME


def make_layout(cameras: Sequence[str], urdf: Path | None = None) -> str:
    """JSON of a layout: 3D and cameras, plots of the policy, what is wrong, and the whole status.

    urdf: the robot's model, drawn in the pose of /joint_states (Foxglove's desktop application reads the file).
    """
    seeing = [fl.SplitItem(proportion=2, content=_scene(urdf))]
    if cameras:
        pictures = [fl.SplitItem(content=_camera(name)) for name in cameras]
        seeing.append(fl.SplitItem(content=fl.SplitContainer(direction="column", items=pictures)))
    knowing = [
        fl.SplitItem(content=_indicator()),
        fl.SplitItem(content=_plot()),
        fl.SplitItem(content=fl.LogPanel(title="Faults", config=fl.LogConfig(topic_to_render="/log"))),
        fl.SplitItem(content=_raw("Task", "/status.task")),
        fl.SplitItem(content=_raw("Safety", "/status.safety")),
    ]
    content = fl.SplitContainer(
        direction="column",
        items=[
            fl.SplitItem(proportion=2, content=fl.SplitContainer(direction="row", items=seeing)),
            fl.SplitItem(proportion=1, content=fl.SplitContainer(direction="row", items=knowing)),
        ],
    )
    return fl.Layout(content=content).to_json()


def _scene(urdf: Path | None) -> fl.ThreeDeePanel:
    visible = fl.BaseRendererSceneUpdateTopicSettings(visible=True)
    camera = fl.ThreeDeeCameraState(distance=2.0, phi=60.0, perspective=True)
    layers: dict[str, fl.BaseRendererCustomLayerSettings] = {
        "grid": fl.BaseRendererGridLayerSettings(frame_id=BASE_FRAME)
    }
    if urdf is not None:
        layers["robot"] = fl.BaseRendererUrdfLayerSettings(
            source_type="filePath", file_path=str(urdf.absolute()), control_mode="jointStates",
            joint_states_topic="/joint_states",
        )  # fmt: skip
    return fl.ThreeDeePanel(
        title="Arm and chunk",
        config=fl.ThreeDeeConfig(
            fixed_frame=BASE_FRAME, follow_tf=BASE_FRAME, camera_state=camera, topics={"/chunk_path": visible},
            layers=layers,
        ),
    )  # fmt: skip


def _camera(name: str) -> fl.ImagePanel:
    mode = fl.ImageModeConfig(image_topic=f"/camera/{name}")
    return fl.ImagePanel(title=name, config=fl.ImageConfig(image_mode=mode))


def _plot() -> fl.PlotPanel:
    values = ("alignment", "residual", "done")
    paths = [fl.PlotSeries(value=f"/policy.{value}", label=value) for value in values]
    return fl.PlotPanel(title="Policy", config=fl.PlotConfig(paths=paths, show_legend=True))


def _indicator() -> fl.IndicatorPanel:
    rules = [fl.IndicatorRule(operator="=", raw_value="true", color="#e8a33d", label="the arm holds")]
    config = fl.IndicatorConfig(
        path="/status.arm.holding", style="background", rules=rules, fallback_color="#3da35d", fallback_label="moves"
    )
    return fl.IndicatorPanel(title="Arm", config=config)


def _raw(title: str, path: str) -> fl.RawMessagesPanel:
    return fl.RawMessagesPanel(title=title, config=fl.RawMessagesConfig(topic_path=path))
