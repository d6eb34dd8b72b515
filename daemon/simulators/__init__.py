"""In-memory EspoCRM and Advoware with the manners of the real ones, for `demo`, `simulators` and the tests.

A world is a plain object: `answer(Request) -> Answer`, time by an injected clock, chance by an injected Random.
`faults` puts misfortune between caller and world, `face` gives both a real HTTP address.
Nothing in here may know the clients, the store or how a sync is decided.
"""
