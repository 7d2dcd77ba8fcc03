"""The page is one file that asks for nothing, and says where it comes from."""

import base64
import hashlib
import re

import pytest
from lxml import html  # type: ignore[import-untyped]

from app.documents.page import CONTENT_SECURITY_POLICY, as_page
from tests.support.documents import EXAMPLES, PROVENANCE, document, example

HOSTILE = '"><script>alert(1)</script>'


def page(*texts: str) -> html.HtmlElement:
    return html.document_fromstring(as_page(document(*texts)))


def texts(element: html.HtmlElement, path: str) -> list[str]:
    return [" ".join(found.text_content().split()) for found in element.xpath(path)]


def test_a_page_has_one_title_landmarks_and_a_language() -> None:
    shown = page("# Report\n\nText.", "## One", "## Two")

    assert shown.get("lang") == "en"
    assert texts(shown, "//title") == texts(shown, "//h1") == ["Report"]
    assert [element.tag for element in shown.find("body")] == ["header", "main", "footer"]
    assert texts(shown, "//main/section") == ["Text.", "One", "Two"]


def test_the_title_block_says_when_and_by_whom() -> None:
    assert texts(page("# Report"), "//header/p") == [
        "Composed on 2025-05-09 at 14:02 UTC by iu-core-reports"
    ]


def test_the_footer_says_what_the_document_is_verified_by() -> None:
    shown = page("# Report")

    assert dict(zip(texts(shown, "//dt"), texts(shown, "//dd"), strict=True)) == {
        "Template": PROVENANCE.template_key,
        "Instance": PROVENANCE.instance_key,
        "Instance id": PROVENANCE.instance_collection_id,
        "Event": f"{PROVENANCE.event_type}, {PROVENANCE.event_id}",
        "Composition digest": PROVENANCE.composition_digest,
        "Data digest": PROVENANCE.data_digest,
        "Product digest": PROVENANCE.product_digest,
    }
    assert texts(shown, "//footer/p") == [
        "The digests are SHA-256. To recompute them from what is stored:"
        f" factory verify {PROVENANCE.instance_collection_id}"
    ]


def test_a_preview_says_that_it_is_not_stored_and_comes_from_nowhere() -> None:
    shown = html.document_fromstring(as_page(document("# Report", provenance=None)))

    assert texts(shown, "//header/p") == ["Preview: not stored"]
    assert shown.xpath("//footer | //meta[@name='author' or starts-with(@name, 'dcterms')]") == []


def test_the_contents_lead_to_the_chapters() -> None:
    shown = page("# Report\n## One\n### Not this", "## Two", "# Three *and* more")

    links = shown.xpath("//nav//a")
    assert [(link.get("href"), link.text_content()) for link in links] == [
        ("#one", "One"),
        ("#two", "Two"),
        ("#three-and-more", "Three and more"),
    ]
    for link in links:
        [heading] = shown.xpath(f"//h2[@id='{link.get('href')[1:]}']")
        assert heading.text_content() == link.text_content()
    assert shown.xpath("//nav/@aria-labelledby") == shown.xpath("//nav/h2/@id") == ["contents"]


def test_few_chapters_need_no_contents() -> None:
    assert page("# Report\n## One\n## Two").xpath("//nav") == []


def test_what_data_say_is_text_everywhere() -> None:
    provenance = PROVENANCE.model_copy(
        update=dict.fromkeys(("instance_key", "template_key", "event_type", "actor"), HOSTILE)
    )
    chapters = "\n".join(f"## {HOSTILE}" for _ in range(3))

    shown = html.document_fromstring(
        as_page(document(f"# {HOSTILE}\n{chapters}", provenance=provenance))
    )

    assert shown.xpath("//script") == []
    assert texts(shown, "//title") == texts(shown, "//h1") == [HOSTILE]
    assert texts(shown, "//nav//a") == [HOSTILE] * 3
    assert shown.xpath("//meta[@name='author']/@content") == [HOSTILE]


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_page_asks_for_nothing_and_runs_nothing(name: str) -> None:
    shown = html.document_fromstring(as_page(example(name)))

    for element in shown.iter():
        assert element.tag not in {"script", "link", "img", "iframe", "object", "base", "form"}
        fetching = {"src", "srcset", "background", "data", "action", "poster", "style"}
        assert fetching.isdisjoint(element.attrib)
        assert not [attribute for attribute in element.attrib if attribute.startswith("on")]
        assert element.tag == "a" or "href" not in element.attrib
    [style] = shown.xpath("//style")
    assert re.findall(r"url\(|@import|@font-face|//", style.text) == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_head_of_a_table_says_what_it_is_the_head_of(name: str) -> None:
    heads = html.document_fromstring(as_page(example(name))).xpath("//th")

    assert heads
    assert {head.get("scope") for head in heads} == {"col", "row"}


def test_the_policy_allows_the_style_of_the_page_and_nothing_else() -> None:
    [style] = page("# Report").xpath("//style")
    digest = base64.b64encode(hashlib.sha256(style.text.encode()).digest()).decode()

    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )
    assert policy == CONTENT_SECURITY_POLICY


def test_a_document_of_no_event_names_none() -> None:
    missing = ("actor", "data_digest", "event_id", "event_type", "product_digest")
    provenance = PROVENANCE.model_copy(update=dict.fromkeys(missing))

    shown = html.document_fromstring(as_page(document("# T", provenance=provenance)))

    assert texts(shown, "//header/p") == ["Composed on 2025-05-09 at 14:02 UTC"]
    assert texts(shown, "//dt") == ["Template", "Instance", "Instance id", "Composition digest"]
