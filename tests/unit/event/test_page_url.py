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


def test_campaign_and_clicks_are_taken_out_of_the_url(read):
    result = read(
        "https://shop.example/?utm_source=Spring+Mail&utm_campaign=s%C3%A4le&utm_source=later&UTM_Term=&utm_id=7"
        "&size=42&GCLID=Cj0&fbclid=fb1&gclid="
    )
    assert result.url == "https://shop.example/?size=42"
    assert result.campaign == {"source": "Spring Mail", "name": "säle", "id": "7"}
    assert result.click_ids == ("Cj0", "fb1")
