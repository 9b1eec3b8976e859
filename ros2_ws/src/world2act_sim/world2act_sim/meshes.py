"""Lighter copies of a model's visual meshes.

The Panda's meshes have 350,000 vertices, most of the time a software renderer spends on a 128-pixel picture. Each
visual mesh is decimated once (quadric edge collapse) and kept in the user's cache; physics never sees the copies.
"""

from __future__ import annotations

import hashlib
import os
import xml.etree.ElementTree as ET
from pathlib import Path

from world2act_core.files import atomic_write_bytes

TARGET_FACES = 400
"""Faces left of each visual mesh: fewer change the hand's shape as the wrist camera sees it, more cost time unseen."""


def cache_folder() -> Path:
    """Where decimated meshes are kept (`$XDG_CACHE_HOME/world2act/meshes`)."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "world2act" / "meshes"


def decimate_visual_meshes(model_xml: str, target_faces: int = TARGET_FACES) -> str:
    """Point every visual-only mesh of an MJCF model at a decimated copy.

    Args:
        model_xml: MJCF with absolute mesh paths, as robosuite writes it.
        target_faces: number of triangles to keep per mesh; smaller meshes stay as they are.

    Returns:
        The MJCF whose visual geoms (group 1) show decimated copies; the meshes of colliding geoms are untouched.
    """
    root = ET.fromstring(model_xml)
    asset = root.find("asset")
    meshes = {mesh.get("name"): mesh for mesh in root.iter("mesh") if mesh.get("file")}
    seen: dict[str, str] = {}
    for geom in root.iter("geom"):
        name = geom.get("mesh")
        if geom.get("group") != "1" or name is None or name not in meshes or asset is None:
            continue
        if name not in seen:
            copy = ET.SubElement(asset, "mesh", {**meshes[name].attrib, "name": f"{name}_light"})
            copy.set("file", str(_decimated(Path(meshes[name].get("file", "")), target_faces)))
            seen[name] = f"{name}_light"
        geom.set("mesh", seen[name])
    still_used = {geom.get("mesh") for geom in root.iter("geom")}
    for name in seen:
        if name not in still_used and asset is not None:
            asset.remove(meshes[name])
    return ET.tostring(root, encoding="unicode")


def _decimated(path: Path, target_faces: int) -> Path:
    if path.suffix.lower() not in {".stl", ".obj"}:
        return path
    digest = hashlib.sha256(f"{path.name}:{path.stat().st_size}:{target_faces}:v2".encode()).hexdigest()[:16]
    cached = cache_folder() / f"{path.stem}-{digest}.obj"
    light_enough = cached.with_suffix(path.suffix.lower())
    for there in (cached, light_enough):
        if there.exists():
            return there
    import trimesh  # slow to import, and only the first start needs it

    mesh = trimesh.load(path, force="mesh", process=True)
    if len(mesh.faces) <= target_faces:
        atomic_write_bytes(light_enough, path.read_bytes())
        return light_enough
    mesh.merge_vertices(merge_tex=True, merge_norm=True)
    simplified = mesh.simplify_quadric_decimation(face_count=target_faces)
    text: str = simplified.export(file_type="obj", include_normals=False, include_texture=False)
    atomic_write_bytes(cached, text.encode())
    return cached
