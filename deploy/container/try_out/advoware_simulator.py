"""For a try with a real EspoCRM: a simulated Advoware with invented people, and the same people in EspoCRM.

    advoware_simulator.py --people 25 --espocrm http://espocrm --admin admin [--host 0.0.0.0] [--port 8090]

Run by compose.yaml after setup_espocrm.py. EspoCRM gets names and betnr only: phones and addresses arrive by the first
sync. Who is there already is left alone. The password is read from $ESPOCRM_ADMIN_PASSWORD. Never for real systems.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time

import anyio

from daemon.simulators.advoware import AdvowareWorld
from daemon.simulators.espocrm import EspoWorld
from daemon.simulators.face import serve
from daemon.simulators.people import settle
from setup_espocrm import Api, Stopped

SEED = 1


def invented_firm(people: int) -> AdvowareWorld:
    """Always the same people for the same number; the EspoCRM that they are settled in as well is thrown away."""
    advoware = AdvowareWorld(time.time, random.Random(SEED))
    settle(EspoWorld(time.time, random.Random(SEED)), advoware, random.Random(SEED), people)
    return advoware


def introduce(api: Api, advoware: AdvowareWorld) -> int:
    """Creates in EspoCRM who is missing there; how many."""
    missing = [
        number for number in advoware.bet_nrs() if api.find("CBeteiligte", "betnr", str(number)) is None
    ]
    for number in missing:
        person = advoware.firm.beteiligte[number]
        names = {"firstName": person.vorname, "lastName": person.name}
        api.send("POST", "/CBeteiligte", {**names, "betnr": number, "_skipDuplicateCheck": True})
    return len(missing)


async def _serve(advoware: AdvowareWorld, host: str, port: int) -> None:
    async with serve(advoware, time.time, host=host, port=port) as url:
        print(f"Advoware simulator at {url}", flush=True)
        await anyio.sleep_forever()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=25)
    parser.add_argument("--espocrm", required=True, help="base of the EspoCRM")
    parser.add_argument("--admin", default="admin")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    options = parser.parse_args()
    advoware = invented_firm(options.people)
    try:
        created = introduce(
            Api(options.espocrm, options.admin, os.environ["ESPOCRM_ADMIN_PASSWORD"]), advoware
        )
    except Stopped as stop:
        sys.stderr.write(f"advoware_simulator: {stop}\n")
        return stop.code
    print(f"{created} Beteiligte created in EspoCRM", flush=True)
    anyio.run(_serve, advoware, options.host, options.port)
    return 0


if __name__ == "__main__":
    sys.exit(main())
