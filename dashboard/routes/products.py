"""Files to take away, made when a browser asks: an address that no run of a page takes back."""

from __future__ import annotations

import math
from dataclasses import replace
from urllib.parse import quote

import streamlit as st
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dashboard.detector import (
    DEFAULT_RULE,
    PRODUCTS,
    RULES,
    RUN_RECORD,
    Finished,
    Product,
    ScanSettings,
    Subject,
    Verdicts,
    checksum,
    quick_checksums,
    run_json,
)
from dashboard.routes.parameters import open_scan, or_not_found
from dashboard.session import state
from dashboard.viewer import addresses

BY_NAME = {product.name: product for product in (*PRODUCTS, RUN_RECORD)}


def routes() -> list[Route]:
    """Where the files of a scan are served."""
    return [Route(f"{addresses.products()}/{{scan}}/{{name}}", or_not_found(product))]


def product(request: Request) -> Response:
    """One file of a scan, at the threshold of the query, with what reviewers have decided by now.

    Raises:
        ValueError: there is no such file or threshold.
        NeedleError: scan, scene or verdicts cannot be read.
    """
    asked = BY_NAME.get(request.path_params["name"])
    if asked is None:
        raise ValueError("no such file")
    store, _ = open_scan(request)
    decisions = Verdicts().current(Subject.of(store))
    finished = replace(
        state.of_store(store).by(_settings(request, store.model_name, store.stride)),
        decisions=decisions,
        confirmed=request.query_params.get("confirmed") == "only",
    )
    name = f"{finished.scene.name.rsplit('.', 1)[0]}-{asked.name}"
    saved = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    headers = {"Cache-Control": "no-store", "Content-Disposition": saved}
    return Response(content(asked, finished), media_type=asked.mime, headers=headers)


def _settings(request: Request, model: str, stride: int) -> ScanSettings:
    """The threshold that the query names.

    Raises:
        ValueError: it names none.
    """
    said = request.query_params
    sigma, rule = float(said.get("sigma", state.SIGMA)), said.get("rule", DEFAULT_RULE)
    if not 0 <= sigma < math.inf or rule not in RULES:
        raise ValueError("no such threshold")
    shown = said.get("artefacts") != state.HIDDEN
    return ScanSettings(model, stride, sigma=sigma, rule=rule, artefacts=shown)


def content(asked: Product, finished: Finished) -> bytes:
    """The content of a file; the record holds the checksums of what was taken before it."""
    known = quick_checksums(finished)
    taken = _checksums_so_far(checksum(run_json(finished, known)))
    if asked.name == RUN_RECORD.name:
        return run_json(finished, known | taken)
    data = asked.make(finished)
    taken[asked.name] = checksum(data)
    return data


@st.cache_resource(show_spinner=False, max_entries=64)
def _checksums_so_far(what: str) -> dict[str, str]:
    """Checksums of the files made of a scan, a threshold and verdicts, by their names."""
    return {}
