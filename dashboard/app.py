"""Page configuration and navigation, and what no page has said of an error; nothing else."""

from __future__ import annotations

import streamlit as st

from dashboard.detector import NeedleError
from dashboard.pages import frame, models, results, review, scan
from dashboard.session import state

st.set_page_config(page_title="Needle", layout="wide", initial_sidebar_state="collapsed")
pages = {
    "scan": st.Page(scan.page, title="Scan", url_path="scan", default=True),
    "review": st.Page(review.page, title="Review", url_path="review"),
    "results": st.Page(results.page, title="Results", url_path="results"),
    "models": st.Page(models.page, title="Models", url_path="models"),
}
frame.set_pages(pages)
chosen = st.navigation(list(pages.values()), position="top")
frame.finish_turning(chosen)
if chosen is not pages["review"] or state.current_store() is None:  # it has a line of its own
    frame.header()
try:
    chosen.run()
except NeedleError as error:
    frame.trouble(error)
