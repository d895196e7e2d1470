import base64
import json
import re

import pytest
import xarray as xr
from fabricated import make_decision, make_fit, make_future
from parsed_page import HOSTILE, Page

from qsp_bayes.errors import CalibrationError
from qsp_bayes.formatting import FIGURE_SPACE, PUNCTUATION_SPACE
from qsp_bayes.report import report

SECTIONS = (
    "Decision", "Data", "System", "Priors and posteriors", "What can be known", "Population estimates",
    "Sampling diagnostics",
    "Individual fits", "Goodness of fit", "Visual predictive check", "Cross-validation", "Reproducibility",
)  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory, good_fit):
    future = make_future()
    path = tmp_path_factory.mktemp("report") / "report.html"
    assert report(good_fit, make_decision(future), to=path, future=future) == path
    return path


@pytest.fixture(scope="module")
def page(written):
    return Page(written.read_text(encoding="utf-8"))


def test_is_light(written):
    assert written.stat().st_size < 700_000


def test_is_self_contained(page, written):
    for tag, attrs in page.tags:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            assert not attrs.get(name) or attrs[name].startswith(("data:image/", "#")), (tag, name)
        assert not [name for name in attrs if name.startswith("on")]
    assert not {"script", "link", "iframe", "object", "embed"} & {tag for tag, _ in page.tags}
    style = re.search(r"<style>(.*?)</style>", written.read_text(encoding="utf-8"), re.DOTALL)[1]
    assert "url(" not in style
    assert "@import" not in style


def test_pictures_load_nothing(page):
    pictures = [attrs["src"] for attrs in page.all("img")]
    assert len(pictures) > 30
    for uri in pictures:
        kind, _, content = uri.partition(",")
        if kind == "data:image/svg+xml;base64":
            svg = base64.b64decode(content).decode()
            linked = re.findall(r'(?:href|src)="([^"]*)"', svg)
            assert all(target.startswith(("#", "data:")) for target in linked)


def test_is_accessible(page):
    assert page.all("html")[0]["lang"] == "en"
    assert all(attrs.get("alt") for attrs in page.all("img"))
    assert len(page.all("h1")) == 1
    tables, captions = page.all("table"), {attrs.get("id") for attrs in page.all("figcaption")}
    assert tables
    assert {attrs["aria-labelledby"] for attrs in tables} <= captions
    assert all(attrs.get("scope") for attrs in page.all("th"))


def test_navigation_reaches_every_section(page):
    anchors = {attrs["id"] for attrs in page.all("section")}
    links = {attrs["href"].removeprefix("#") for attrs in page.all("a")}
    assert links == anchors
    assert len(anchors) == len(SECTIONS) + 1


def test_sections_are_there(page):
    text = "".join(page.text)
    assert [title for title in SECTIONS if title not in text] == []


def test_summary_recommends(page):
    text = " ".join("".join(page.text).split())
    summary = text[text.index("Recommended regimen") : text.index("Table 1.")]
    assert "low" in summary
    assert "The chains agree; nothing here speaks against using the posterior." in summary


def test_bad_posterior_recommends_nothing(fit, tmp_path):
    fit["posterior"]["TVCL"][3] += 3.0
    text = "".join(Page(report(fit, make_decision(make_future()), to=tmp_path / "r.html").read_text()).text)
    assert "Do not use this posterior." in text
    assert "The posterior cannot be used. It would put low first." in " ".join(text.split())


def test_hostile_names_are_inert(tmp_path):
    fit = make_fit(title=HOSTILE, labels=[HOSTILE, *map(str, range(2, 13))])
    content = json.loads(fit.attrs["qsp_bayes"])
    content["system"]["equations_html"] = f"<table><tr><td onclick='x()'>a{HOSTILE}</td></tr></table>"
    content["system"]["name"] = HOSTILE
    content["system"]["diagram_svg"] = f"<svg xmlns='http://www.w3.org/2000/svg'>{HOSTILE}</svg>"
    content["priors"][0]["source"] = HOSTILE
    content["study"]["notes"] = [HOSTILE]
    fit.attrs["qsp_bayes"] = json.dumps(content)
    future = make_future((HOSTILE, "high"))
    page = Page(
        report(fit, make_decision(future), to=tmp_path / "r.html", future=future).read_text(encoding="utf-8")
    )
    assert not page.all("script")
    assert not [attrs for _, attrs in page.tags if any(name.startswith("on") for name in attrs)]
    assert all(attrs["src"].startswith("data:image/") for attrs in page.all("img"))
    policy = next(attrs for attrs in page.all("meta") if attrs.get("http-equiv"))["content"]
    assert policy.startswith("default-src 'none'")


@pytest.mark.parametrize(
    "groups",
    [
        ("population_predictive",),
        ("posterior_predictive",),
        ("prior", "log_prior"),
        ("log_likelihood",),
        ("sample_stats",),
        (
            "population_predictive",
            "posterior_predictive",
            "prior",
            "log_prior",
            "log_likelihood",
            "sample_stats",
        ),
    ],
    ids="+".join,
)
def test_what_is_missing_is_named(fit, groups, tmp_path):
    for group in groups:
        del fit[group]
    text = "".join(Page(report(fit, to=tmp_path / "r.html").read_text(encoding="utf-8")).text)
    assert "No decision was given" in text
    for group in set(groups) - {"log_prior"}:
        assert re.search(rf"holds? (no|neither)[^.]*({group}|prior)", text), group


def test_metadata_may_be_sparse(fit, tmp_path):
    fit.attrs["qsp_bayes"] = "{}"
    text = "".join(Page(report(fit, to=tmp_path / "r.html").read_text(encoding="utf-8")).text)
    assert "The system is not shown" in text
    assert "does not say where the data come from" in text


def test_not_a_fit_is_refused(tmp_path):
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset()})
    with pytest.raises(CalibrationError):
        report(tree, to=tmp_path / "r.html")
    assert not list(tmp_path.iterdir())


def test_decimals_line_up(page):
    """In each column of numbers every cell has as many characters after the point, visible or not."""
    cells = [text for text in page.text if text.strip()]
    text = "\n".join(cells)
    start = text.index("Typical values\n")
    column = [
        cells[cells.index(name, len(text[:start].split("\n")) - 1) + 2] for name in ("TVCL", "TVVc", "TVKA")
    ]
    tails = [re.split(rf"[.{PUNCTUATION_SPACE}]", cell)[1] for cell in column]
    assert len({len(tail) for tail in tails}) == 1
    assert any(FIGURE_SPACE in tail for tail in tails)
