"""An invented firm: seeded, varied, and nobody real in it."""

from __future__ import annotations

import random
import re
from collections import Counter

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.simulators import people_values as values
from daemon.simulators.advoware import AdvowareWorld
from daemon.simulators.espocrm import EspoWorld
from daemon.simulators.people import Pair, settle
from tests.daemon.simulators.worlds import Clock


@pytest.fixture
def pairs(espo: EspoWorld, advoware: AdvowareWorld) -> list[Pair]:
    return settle(espo, advoware, random.Random(11), 600)


def test_everybody_is_on_both_sides(espo: EspoWorld, advoware: AdvowareWorld, pairs: list[Pair]) -> None:
    assert len({pair.bet_nr for pair in pairs}) == len(pairs) == len(espo.ids()) == len(advoware.bet_nrs())
    for pair in pairs:
        assert espo.person(pair.espocrm_id)["betnr"] == pair.bet_nr


def test_all_that_staff_do_occurs(espo: EspoWorld, advoware: AdvowareWorld, pairs: list[Pair]) -> None:
    rows = [row for pair in pairs for row in advoware.rows(pair.bet_nr)]
    texts = " ".join(str(row.bemerkung) for row in rows)
    tlfs = " | ".join(str(row.tlf) for row in rows)
    assert {row.komm_kz for row in rows} >= {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
    for spelling in (
        r"\| 0\d+/\d",
        r"\+49 \(0\)",
        r"\| \(0\d+\)",
        r"\| 0049 ",
        r" Fax",
        r" oder ",
        r"k\.A\.",
        "DE.BRAK",
    ):
        assert re.search(spelling, tlfs), spelling
    assert re.search(r"\[ESPOCRM:[0-9a-f]{8}:\d+\]", texts)
    assert re.search(r"\[ESPOCRM:[A-Za-z0-9+/]+=+:\d+\]", texts)
    assert re.search(r"\[ESPOCRM-SLOT:\d\]", texts)
    assert "müller-söhne" in tlfs
    shared = Counter(
        item["phoneNumber"] for pair in pairs for item in espo.person(pair.espocrm_id)["phoneNumberData"]
    )
    assert shared.most_common(1)[0][1] >= 3  # a switchboard


def test_every_record_in_espocrm_is_well_formed(espo: EspoWorld, pairs: list[Pair]) -> None:
    for pair in pairs:
        for items in (espo.person(pair.espocrm_id)[key] for key in ("phoneNumberData", "emailAddressData")):
            assert sum(item["primary"] for item in items) == min(1, len(items))


def test_same_seed_same_firm(clock: Clock) -> None:
    def firm(seed: int) -> list[object]:
        espo, advoware = EspoWorld(clock, random.Random(1)), AdvowareWorld(clock, random.Random(2))
        pairs = settle(espo, advoware, random.Random(seed), 30)
        return [(espo.person(pair.espocrm_id), advoware.rows(pair.bet_nr)) for pair in pairs]

    assert firm(4) == firm(4)
    assert firm(4) != firm(5)


@given(place=st.integers(0, 60_000), seed=st.integers(0, 2**32))
def test_every_spelling_means_the_same_number(place: int, seed: int) -> None:
    for number in (values.landline(place, "12"), values.mobile(place)):
        spelt = number.spelt(random.Random(seed)).replace("–", "-")
        parsed = phonenumbers.parse(spelt, "DE")
        assert phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) == number.e164
        assert phonenumbers.is_valid_number(parsed)
        assert number.is_mobile == (phonenumbers.number_type(parsed) == phonenumbers.PhoneNumberType.MOBILE)


def test_places_do_not_collide() -> None:
    numbers = [values.landline(place).e164 for place in range(20_000)] + [
        values.mobile(p).e164 for p in range(20_000)
    ]
    assert len(set(numbers)) == len(numbers)
