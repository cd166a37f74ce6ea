"""Scans that tests make, from the first piece to the last."""

from __future__ import annotations

from dashboard.detector import Model, Region, ScanStore, Scene, scan


def whole(scene: Scene, model: Model, region: Region | None = None) -> ScanStore:
    """A finished scan, or the stored one where it is finished already."""
    store = ScanStore.for_scan(scene, model, region=region)
    for _ in scan(store, scene, model):
        pass
    return store
