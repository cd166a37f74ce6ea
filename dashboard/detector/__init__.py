"""The detector: from a picture file to ranked places. No user interface, no torch, no printing."""

from dashboard.detector.areas.area_of_interest import Region
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
from dashboard.detector.files.formats import BEGINNING, format_of
from dashboard.detector.files.hirise_archive import fetch
from dashboard.detector.files.world_files import is_world_file_of
from dashboard.detector.ground.roughness import ROUGHNESS, Roughness
from dashboard.detector.models.card import ModelCard
from dashboard.detector.models.devices import DEVICES
from dashboard.detector.models.judge import Judge
from dashboard.detector.models.model import DEFAULT_MODEL, Model, find_model, list_models, read_card
from dashboard.detector.models.pool import pool
from dashboard.detector.models.triptych import Triptych, triptychs
from dashboard.detector.places.detections import Detection
from dashboard.detector.places.false_alarms import Tail, false_alarms, rounded
from dashboard.detector.places.sigma_map import SigmaMap, find, sigma_map
from dashboard.detector.places.size import Measure, measure
from dashboard.detector.places.strongest import strongest
from dashboard.detector.products.finished import Finished, ScanSettings
from dashboard.detector.products.products import (
    PRODUCTS,
    RUN_RECORD,
    Product,
    checksum,
    quick_checksums,
    run_json,
    write_results,
)
from dashboard.detector.products.report import CREDIT
from dashboard.detector.review.decisions import (
    Change,
    Decision,
    Entry,
    Place,
    Subject,
    Verdict,
    on_places,
)
from dashboard.detector.review.import_csv import harmless, read_verdicts
from dashboard.detector.review.kinds import Kind, directions, first_looks, kinds, likeness
from dashboard.detector.review.similar_places import SimilarPlace, similar_places
from dashboard.detector.review.stopping import LATER
from dashboard.detector.review.verdicts import By, Verdicts
from dashboard.detector.rules import ARTICLE, DEFAULT_RULE, RULES
from dashboard.detector.run import check_folder, run, stored_scan
from dashboard.detector.scanning.coverage import Coverage, Rings
from dashboard.detector.scanning.place_table import PlaceTable
from dashboard.detector.scanning.scan import Progress, estimate, scan
from dashboard.detector.scanning.score_map import Histogram, ScoreMap
from dashboard.detector.scanning.store import ScanStore, list_scans, lock_path
from dashboard.detector.scenes.grey import grey, png
from dashboard.detector.scenes.ingest import ingest
from dashboard.detector.scenes.scene import Patch, Scene
from dashboard.detector.scenes.survey import Survey, survey
from dashboard.detector.system.home import needle_home
from dashboard.detector.system.housekeeping import bound, holdings, prune
from dashboard.detector.system.locks import Pin, alone
from dashboard.detector.system.memory import avoid_fragments, give_back
from dashboard.detector.system.whole_file import whole_file
from dashboard.detector.tiling import Box, Grid

__all__ = [
    "ARTICLE",
    "BEGINNING",
    "CREDIT",
    "DEFAULT_MODEL",
    "DEFAULT_RULE",
    "DEVICES",
    "LATER",
    "PRODUCTS",
    "ROUGHNESS",
    "RULES",
    "RUN_RECORD",
    "Box",
    "By",
    "Change",
    "Coverage",
    "DamagedScene",
    "Decision",
    "Detection",
    "DeviceError",
    "Entry",
    "FetchError",
    "Finished",
    "Grid",
    "Histogram",
    "Judge",
    "Kind",
    "Measure",
    "Model",
    "ModelCard",
    "ModelError",
    "NeedleError",
    "NoGround",
    "OptionError",
    "Patch",
    "Pin",
    "Place",
    "PlaceTable",
    "Product",
    "Progress",
    "Region",
    "Rings",
    "Roughness",
    "ScanSettings",
    "ScanStore",
    "Scene",
    "SceneError",
    "SceneNotFound",
    "SceneTooLarge",
    "ScoreMap",
    "SigmaMap",
    "SimilarPlace",
    "StoreError",
    "Subject",
    "Survey",
    "Tail",
    "Triptych",
    "UnknownFormat",
    "Verdict",
    "Verdicts",
    "alone",
    "avoid_fragments",
    "bound",
    "check_folder",
    "checksum",
    "directions",
    "estimate",
    "false_alarms",
    "fetch",
    "find",
    "find_model",
    "first_looks",
    "format_of",
    "give_back",
    "grey",
    "harmless",
    "holdings",
    "ingest",
    "is_world_file_of",
    "kinds",
    "likeness",
    "list_models",
    "list_scans",
    "lock_path",
    "measure",
    "needle_home",
    "on_places",
    "png",
    "pool",
    "prune",
    "quick_checksums",
    "read_card",
    "read_verdicts",
    "rounded",
    "run",
    "run_json",
    "scan",
    "sigma_map",
    "similar_places",
    "stored_scan",
    "strongest",
    "survey",
    "triptychs",
    "whole_file",
    "write_results",
]
