"""Which connection serves which call, with connections that are no more than flags, and a clock of our own."""

import random
from itertools import count

from vllm_connect.transport.pool import Place, Pool


class Fake:
    """A connection."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.alive = True
        self.overdue = False
        self.closed = 0

    def is_alive(self) -> bool:
        return self.alive

    def expire(self, now: float) -> bool:
        assert now >= 0
        return self.overdue

    def close(self) -> None:
        self.closed += 1


def pool(size: int = 2, expiry: float = 4) -> Pool[Fake]:
    return Pool(size, expiry)


def opened(pool: Pool[Fake], name: str, now: float = 0) -> Place[Fake]:
    """Take a place with a new connection."""
    place = pool.request(now)
    assert place.granted
    assert place.connection is None
    place.connection = Fake(name)
    return place


def name(place: Place[Fake]) -> str:
    assert place.granted
    return place.connection.name if place.connection else ""


def test_the_connection_used_last_is_used_again_first() -> None:
    of = pool(3)
    places = [opened(of, each) for each in "abc"]
    for now, place in enumerate(places):
        of.release(place, now, keep=True)
    assert [name(of.request(3)) for _ in range(3)] == ["c", "b", "a"]


def test_an_idle_connection_is_closed_before_the_server_closes_it() -> None:
    of = pool(3)
    old, new = opened(of, "old"), opened(of, "new")
    kept = [place.connection for place in (old, new)]
    of.release(old, 0, keep=True)
    of.release(new, 1, keep=True)
    assert of.close_expired(3.9) == 4
    assert name(of.request(4.0)) == "new"
    assert [connection.closed for connection in kept if connection] == [1, 0]
    assert of.close_expired(9) is None


def test_nothing_is_kept_without_an_expiry() -> None:
    of = pool(expiry=0)
    place = opened(of, "a")
    connection = place.connection
    of.release(place, 0, keep=True)
    assert connection
    assert connection.closed
    assert name(of.request(0)) == ""


def test_a_connection_that_has_received_something_is_dropped() -> None:
    of = pool(3)
    first, second = opened(of, "first"), opened(of, "second")
    dead = second.connection
    of.release(first, 0, keep=True)
    of.release(second, 0, keep=True)
    assert dead
    dead.alive = False
    assert name(of.request(1)) == "first"
    assert dead.closed == 1


def test_a_connection_that_is_not_to_be_kept_is_closed() -> None:
    of = pool()
    place = opened(of, "a")
    connection = place.connection
    of.release(place, 0, keep=False)
    assert connection
    assert connection.closed
    assert name(of.request(0)) == ""


def test_calls_wait_in_the_order_in_which_they_came() -> None:
    of = pool(1)
    place = opened(of, "a")
    woken: list[int] = []
    waiting = [of.request(0) for _ in range(3)]
    for number, each in enumerate(waiting):
        each.wake = lambda number=number: woken.append(number)
    assert not any(each.granted for each in waiting)
    of.release(place, 1, keep=True)
    assert (woken, name(waiting[0])) == ([0], "a")
    of.release(waiting[0], 1, keep=False)
    assert (woken, name(waiting[1])) == ([0, 1], "")
    of.release(waiting[1], 1, keep=False)
    assert woken == [0, 1, 2]


def test_a_new_call_does_not_overtake_those_that_wait() -> None:
    of = pool(1)
    place, first = opened(of, "a"), of.request(0)
    second = of.request(0)
    of.release(place, 1, keep=True)
    assert (first.granted, second.granted, of.request(1).granted) == (True, False, False)


def test_a_cancelled_waiter_gets_no_connection() -> None:
    of = pool(1)
    place, gone, next_ = opened(of, "a"), of.request(0), of.request(0)
    of.release(gone, 1, keep=False)
    of.release(place, 1, keep=True)
    assert not gone.granted
    assert name(next_) == "a"


def test_a_call_that_was_served_as_it_left_passes_its_place_on() -> None:
    of = pool(1)
    place, gone, next_ = opened(of, "a"), of.request(0), of.request(0)
    of.release(place, 1, keep=True)
    assert gone.granted
    of.release(gone, 1, keep=False)
    assert next_.granted


def test_a_place_that_is_released_twice_is_given_away_once() -> None:
    of = pool(1)
    place, first, second = opened(of, "a"), of.request(0), of.request(0)
    of.release(place, 1, keep=True)
    of.release(place, 1, keep=True)
    assert (first.granted, second.granted) == (True, False)


def test_an_unread_stream_gives_its_slot_to_a_waiting_call() -> None:
    of = pool(1)
    place, waits = opened(of, "a"), of.request(0)
    unread = place.connection
    of.reclaim(1)
    before = waits.granted
    assert unread
    unread.overdue = True
    of.reclaim(2)
    assert (before, waits.granted) == (False, True)
    of.release(place, 3, keep=True)
    assert unread.closed
    assert not of.request(3).granted


def test_a_connection_that_ended_is_forgotten() -> None:
    of = pool()
    place = opened(of, "a")
    connection = place.connection
    of.release(place, 0, keep=True)
    assert connection
    of.discard(connection)
    assert name(of.request(0)) == ""


def test_closing_leaves_connections_in_use_alone() -> None:
    of = pool()
    used, idle = opened(of, "used"), opened(of, "idle")
    connections = [used.connection, idle.connection]
    of.release(idle, 0, keep=True)
    of.close()
    assert [each.closed for each in connections if each] == [0, 1]


def test_no_rule_is_broken_whatever_happens() -> None:
    """At most so many places are in use, a connection has one user, and every call is served or has left."""
    chance = random.Random(1)  # noqa: S311 - repeatable, no secret
    names = count()
    for _ in range(200):
        size = chance.randrange(1, 5)
        of = pool(size, expiry=chance.choice((0, 1, 100)))
        places: list[Place[Fake]] = []
        for now in range(200):
            if chance.random() < 0.5:
                places.append(of.request(now))
            elif places:
                place = places.pop(chance.randrange(len(places)))
                of.release(place, now, keep=chance.random() < 0.7)
            for place in places:
                if place.granted and place.connection is None:
                    place.connection = Fake(str(next(names)))
            granted = [place for place in places if place.granted]
            users = [place.connection for place in granted]
            assert len(granted) == min(size, len(places))
            assert [place.granted for place in places] == sorted((p.granted for p in places), reverse=True)
            assert len(set(map(id, users))) == len(users)
            assert not any(connection.closed for connection in users if connection)
