"""Scans that tests make, from the first piece to the last."""

from __future__ import annotations

import shutil

from dashboard.detector import Model, Region, ScanStore, Scene, list_scans, scan


def finish_scan(
    scene: Scene, model: Model, region: Region | None = None, stride: int | None = None
) -> ScanStore:
    """A finished scan, or the stored one where it is finished already."""
    store = ScanStore.for_scan(scene, model, stride, region=region)
    for _ in scan(store, scene, model):
        pass
    return store


def forget_scans() -> None:
    """Removes all stored scans, so that the next one scores anew."""
    for store in list_scans():
        shutil.rmtree(store.folder)
