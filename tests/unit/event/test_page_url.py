import random

import pytest

from pipeline.event.page_url import PageUrls


@pytest.fixture
def read():
    return PageUrls(("gclid", "fbclid")).read


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("HTTPS://Shop.Example", "https://shop.example/"),
        ("https://shop.example:443/A?b=C%20d&e", "https://shop.example/A?b=C%20d&e"),
        ("http://shop.example:8080/x#section", "http://shop.example:8080/x"),
        ("https://shop.example/#/cart", "https://shop.example/#/cart"),
        ("https://shop.example/#!cart", "https://shop.example/#!cart"),
        ("https://me:secret@shop.example/", "https://shop.example/"),
        ("http://[2001:DB8::1]:80/", "http://[2001:db8::1]/"),
        (" https://shop.example/ ", "https://shop.example/"),
    ],
)
def test_a_page_has_one_url(read, url, canonical):
    assert read(url).url == canonical
    assert read(canonical).url == canonical


@pytest.mark.parametrize(
    "url",
    ["", "/relative?utm_source=x", "app://home", "mailto:a@b.org", "http://", "https://[broken", "https://a:b/", "https://a:99999/"],
)  # fmt: skip
def test_what_is_no_web_address_stays_as_it_is(read, url):
    result = read(url)
    assert (result.url, result.campaign, result.click_ids) == (url, {}, ())


PIECES = (
    "/", "/p/1", "//", "?", "&", "utm_source=news", "UTM_Campaign=x%20y", "gclid=Cj0", "%67clid=4", "size=42", "a=b+c",
    "utm_source=", " ", "\t", "é", "\u2028", "%", "=", "..", "\\", ":80", "@", "[",
)  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_the_short_way_of_usual_urls_reads_the_same(seed):
    """A fragment within the page is dropped. It also keeps a URL from the short way."""
    rng, urls = random.Random(seed), PageUrls(("gclid",))
    for _ in range(200):
        url = rng.choice(("https://", "http://")) + rng.choice(("shop.example", "a.b-c.de", "Shop.Example", ""))
        url += "".join(rng.choice(PIECES) for _ in range(rng.randrange(7))).strip()
        assert _parts(urls, url) == _parts(urls, f"{url}#top"), url


def _parts(urls, url):
    read = urls.read(url)
    return read.url.removesuffix("#top"), read.campaign, read.click_ids


def test_campaign_and_clicks_are_taken_out_of_the_url(read):
    result = read(
        "https://shop.example/?utm_source=Spring+Mail&utm_campaign=s%C3%A4le&utm_source=later&UTM_Term=&utm_id=7"
        "&size=42&GCLID=Cj0&fbclid=fb1&gclid="
    )
    assert result.url == "https://shop.example/?size=42"
    assert result.campaign == {"source": "Spring Mail", "name": "säle", "id": "7"}
    assert result.click_ids == ("Cj0", "fb1")
