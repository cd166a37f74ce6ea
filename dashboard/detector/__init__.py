"""The detector: from a picture file to ranked places. No user interface, no torch, no printing."""

from dashboard.detector.card import ModelCard
from dashboard.detector.detections import Detection, FlaggedTile
from dashboard.detector.devices import DEVICES, Device
from dashboard.detector.errors import (
    DamagedScene,
    DeviceError,
    FetchError,
    ModelError,
    NeedleError,
    NoGround,
    OptionError,
    SceneError,
    SceneNotFound,
    SceneTooLarge,
    StoreError,
    UnknownFormat,
)
from dashboard.detector.fetch import fetch
from dashboard.detector.formats import BEGINNING, format_of
from dashboard.detector.home import needle_home
from dashboard.detector.ingest import ingest
from dashboard.detector.looks import Looks, looks
from dashboard.detector.measure import Measure, measure
from dashboard.detector.model import DEFAULT_MODEL, Model, find_model, list_models, read_card
from dashboard.detector.products import (
    PRODUCTS,
    RUN_RECORD,
    Product,
    checksum,
    quick_checksums,
    run_json,
    write_results,
)
from dashboard.detector.region import Region
from dashboard.detector.render import grey, png
from dashboard.detector.report import CREDIT
from dashboard.detector.results import Finished, ScanSettings
from dashboard.detector.returned import Returned, read_verdicts
from dashboard.detector.rules import BY_GROUND, DEFAULT_RULE, RULES
from dashboard.detector.run import check_folder, run
from dashboard.detector.scan import Progress, estimate, scan
from dashboard.detector.scene import Patch, Scene
from dashboard.detector.scores import Histogram, ScoreMap
from dashboard.detector.sigmas import SigmaMap, find, flagged, sigma_map
from dashboard.detector.store import ScanStore, list_scans
from dashboard.detector.strata import ROUGHNESS, roughness_of
from dashboard.detector.survey import Survey, survey
from dashboard.detector.tails import Tail, false_alarms, rounded
from dashboard.detector.tiling import Box, Grid, Tile
from dashboard.detector.triptych import Triptych, triptychs
from dashboard.detector.verdicts import Change, Decision, Subject, Verdict, Verdicts

__all__ = [
    "BEGINNING",
    "BY_GROUND",
    "CREDIT",
    "DEFAULT_MODEL",
    "DEFAULT_RULE",
    "DEVICES",
    "PRODUCTS",
    "ROUGHNESS",
    "RULES",
    "RUN_RECORD",
    "Box",
    "Change",
    "DamagedScene",
    "Decision",
    "Detection",
    "Device",
    "DeviceError",
    "FetchError",
    "Finished",
    "FlaggedTile",
    "Grid",
    "Histogram",
    "Looks",
    "Measure",
    "Model",
    "ModelCard",
    "ModelError",
    "NeedleError",
    "NoGround",
    "OptionError",
    "Patch",
    "Product",
    "Progress",
    "Region",
    "Returned",
    "ScanSettings",
    "ScanStore",
    "Scene",
    "SceneError",
    "SceneNotFound",
    "SceneTooLarge",
    "ScoreMap",
    "SigmaMap",
    "StoreError",
    "Subject",
    "Survey",
    "Tail",
    "Tile",
    "Triptych",
    "UnknownFormat",
    "Verdict",
    "Verdicts",
    "check_folder",
    "checksum",
    "estimate",
    "false_alarms",
    "fetch",
    "find",
    "find_model",
    "flagged",
    "format_of",
    "grey",
    "ingest",
    "list_models",
    "list_scans",
    "looks",
    "measure",
    "needle_home",
    "png",
    "quick_checksums",
    "read_card",
    "read_verdicts",
    "roughness_of",
    "rounded",
    "run",
    "run_json",
    "scan",
    "sigma_map",
    "survey",
    "triptychs",
    "write_results",
]
