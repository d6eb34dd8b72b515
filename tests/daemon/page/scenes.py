"""What can be seen on the page: people in sync, conflicts, values that cannot be synced, mass deletions."""

from __future__ import annotations

from daemon.simulators.espocrm import phone
from daemon.simulators.people import Pair
from tests.daemon.house import House


def number(place: int, digit: int = 0) -> str:
    return f"+4951176{digit}{place:04}"


def hire(firm: House, place: int) -> Pair:
    """Somebody with one number that both sides will agree on."""
    return firm.new(rows=[(1, number(place))], phones=[phone(number(place), "Office", primary=True)])


def disagree(firm: House, pair: Pair, place: int) -> None:
    """Somebody changes it in Advoware, somebody else in EspoCRM."""
    firm.advoware.edit_row(firm.row(pair, number(place)).id, tlf=number(place, 1))
    firm.espo.edit_person(pair.espocrm_id, phones=[phone(number(place, 2), "Office", primary=True)])


async def conflicts(firm: House, count: int) -> list[Pair]:
    """So many people, each with a conflict ``edit_edit``."""
    pairs = [hire(firm, place) for place in range(count)]
    await firm.look()
    for place, pair in enumerate(pairs):
        disagree(firm, pair, place)
    await firm.look()
    return pairs


async def mass_deletion(firm: House, count: int = 6) -> list[Pair]:
    """More numbers vanish from Advoware than the fuse allows; everybody keeps another number."""
    pairs = [
        firm.new(
            rows=[(1, number(place)), (3, f"+49171392{place:04}")],
            phones=[phone(number(place), "Office", primary=True), phone(f"+49171392{place:04}", "Mobile")],
        )
        for place in range(count)
    ]
    await firm.look()
    for place, pair in enumerate(pairs):
        firm.advoware.delete_row(firm.row(pair, number(place)).id)
    await firm.look()
    return pairs


async def unsyncable(firm: House) -> Pair:
    """Somebody whose number is none."""
    pair = firm.new(rows=[(1, "k.A.")])
    await firm.look()
    return pair


async def given_up(firm: House) -> Pair:
    """Somebody whom Advoware does not know."""
    pair = hire(firm, 77)
    await firm.look()
    firm.advoware.delete_person(pair.bet_nr)
    await firm.look()
    await firm.look()
    return pair
